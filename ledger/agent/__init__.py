"""The provider's agent: leases of its site in, jobs run and metered, signed readings and a report out."""

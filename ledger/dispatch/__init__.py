"""One dispatcher over all providers: jobs × sites × hours become a plan at least cost, with a proof that it is one."""

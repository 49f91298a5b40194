"""Compute Ledger: compute that trades and transfers like water and electricity."""

from ledger.abi import Call, Event, Log
from ledger.action import Action, Costs, Outcome, Preview, send_together
from ledger.agent.agent import Agent, AgentWork
from ledger.agent.document import JobDocument, read_document
from ledger.agent.jobstore import FolderJobs, HttpJobs, open_jobs
from ledger.agent.local import LocalExecutor
from ledger.agent.readings import (
    MeterReading,
    ProvenReading,
    Reported,
    prove_reading,
    read_proven,
    read_reading,
    reading_domain,
    result_faults,
    sign_reading,
    usage_root,
    verify_reading,
)
from ledger.agent.setup import AgentLimits, AgentSetup
from ledger.areas import Areas, load_areas
from ledger.artifacts import Artifact, Deployment, MarketTerms, load_artifacts, load_deployment
from ledger.auction import clearing_of, demand_curve, fill_of, filled_units, run_auction, supply_curve, with_prefixes
from ledger.audit.run import Report, run_audit
from ledger.chain import Chain, Contracts, connect, in_process_chain
from ledger.clock import LocalClock
from ledger.datasets import (
    Benchmark,
    Datasheet,
    Job,
    Latency,
    ListPrice,
    MarketPrice,
    benchmarks,
    datasheets,
    jobs,
    latencies,
    list_prices,
    market_prices,
)
from ledger.delivery import Delivery, Reason, Resolution
from ledger.deployment import Roles, deploy, govern, seed_standard
from ledger.dispatch.campaign import Campaign, Campaigns
from ledger.dispatch.desk import DispatchDesk
from ledger.dispatch.jobfile import JobLine, job_of, read_job_lines
from ledger.dispatch.preview import DispatchPreview, Purchase
from ledger.dispatch.problem import JobSpec
from ledger.dispatch.state import CampaignState
from ledger.dispatch.steps import redeem_steps
from ledger.dispatch.tiers import TierPair, tier_report
from ledger.eip712 import Domain
from ledger.errors import (
    CONTRACT_ERRORS,
    BadData,
    BadDeployment,
    BadJobs,
    BadKey,
    BadSetting,
    HistoryBroken,
    InputError,
    KeyBusy,
    KeyReused,
    LedgerError,
    NodeRefused,
    NotIncluded,
    OrderNumberTaken,
    OutOfRange,
    Reverted,
    StoreUnavailable,
    TakenElsewhere,
    Unavailable,
    UnknownIntent,
    UnknownName,
    Unreachable,
    UnreadableText,
    WrongChain,
)
from ledger.history.index import Index
from ledger.keeping.keeper import Keeper, KeeperHealth, KeeperLimits, KeeperWork
from ledger.keeping.relays import RelayDesk, signed_by_contract
from ledger.keys import (
    Signer,
    create_keystore,
    load_signer,
    open_keystore,
    recover,
    signer_from_key_file,
    signer_from_mnemonic,
    signer_from_mnemonic_file,
    sync_folder,
)
from ledger.maintenance import (
    Announcement,
    announce,
    maintenance_domain,
    sign_withdrawal,
    withdraw_announcement,
    withdrawal_typed_data,
)
from ledger.market import Market, Placement, Skipped
from ledger.model import (
    Area,
    Basis,
    ClassTerms,
    Clearing,
    Fill,
    Kind,
    Lease,
    LeaseState,
    Margin,
    Obligation,
    Order,
    Rating,
    Site,
)
from ledger.node import DEVELOPMENT_MNEMONIC, LocalNode, local_node
from ledger.orders import (
    SIGNED_PER_ROUND,
    OrderTerms,
    SignedOrder,
    digest_of,
    is_signed,
    order_domain,
    sign_order,
    signed_order,
    typed_data,
)
from ledger.permits import Permit, sign_permit
from ledger.prices import (
    TICK_MAX,
    TICK_MIN,
    cost_micro,
    format_price,
    format_reference_price,
    grid_price,
    price_micro,
    tick_at_or_above,
    tick_at_or_below,
    unit_price_down,
    unit_price_up,
)
from ledger.product import ComputeClass, Grade, Product, Tier, class_id_of, class_name, grade_of, tier_of
from ledger.rpc import Block, Receipt
from ledger.sending.drafts import Sent
from ledger.sending.envelope import UnsignedTransaction, read_signed
from ledger.sending.fees import FeePolicy
from ledger.sending.sender import IntentStatus, Sender
from ledger.settings import Secret, Settings, explain_settings, read_settings, urls_of
from ledger.standard import CLASSES, Amount, Entry, Standard, load_standard, used_benchmarks
from ledger.store import board, past, queries
from ledger.store.accounts import Accounts, ApiKey, Begun, Turn
from ledger.store.agent import AgentBook
from ledger.store.board import BoardRow, Snapshot, Trade, Wanted, snapshot
from ledger.store.campaigns import CampaignRow, StepKind, StepRow, count_unended
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.store.jobs import DOCUMENT_BYTES_MAX, RESULT_BYTES_MAX, Jobs
from ledger.store.maintenance import Maintenance, closed_hours, maintenance_of
from ledger.store.past import EventRow, Line
from ledger.store.quality import (
    Attestation,
    SiteRecord,
    StandingStep,
    Uptime,
    WindowRecord,
    delivery_weight,
    records_of,
    site_record,
)
from ledger.store.records import BookRow, ClearingRow, Head, LeaseRow, OrderRow, Place, SiteRow
from ledger.store.relay import NewOrder, QueuedOrder, RelayQueue, Stage
from ledger.units import (
    Per,
    Quantity,
    Rate,
    format_bp,
    format_hour,
    format_hours,
    format_milli_units,
    format_units,
    format_usd,
    hour_of,
    parse_bp,
    parse_hour,
    parse_hours,
    parse_milli_units,
    parse_quantity,
    parse_rate,
    parse_usd_micro,
    share_down,
    share_up,
    start_of_hour,
    whole_units,
)
from ledger.view import Account, Book, Depth, Price, View, device_hash

__all__ = [
    "CLASSES", "CONTRACT_ERRORS", "DEVELOPMENT_MNEMONIC", "DOCUMENT_BYTES_MAX", "IN_MEMORY", "RESULT_BYTES_MAX",
    "SIGNED_PER_ROUND", "TICK_MAX", "TICK_MIN", "Account", "Accounts", "Action", "Agent", "AgentBook", "AgentLimits",
    "AgentSetup", "AgentWork", "Amount", "Announcement", "ApiKey", "Area", "Areas", "Artifact", "Attestation",
    "BadData", "BadDeployment", "BadJobs", "BadKey", "BadSetting", "Basis", "Begun", "Benchmark", "Block", "BoardRow",
    "Book", "BookRow", "Call", "Campaign", "CampaignRow", "CampaignState", "Campaigns", "Chain", "ClassTerms",
    "Clearing", "ClearingRow", "ComputeClass", "Contracts", "Costs", "Datasheet", "Delivery", "Deployment", "Depth",
    "DispatchDesk", "DispatchPreview", "Domain", "Entry", "Event", "EventRow", "FeePolicy", "Fill", "FolderJobs",
    "Grade", "Head",
    "HistoryBroken", "HttpJobs", "Index", "InputError", "IntentStatus", "Job", "JobDocument", "JobLine", "JobSpec",
    "Jobs", "Keeper", "KeeperHealth", "KeeperLimits", "KeeperWork", "KeyBusy", "KeyReused", "Kind", "Latency", "Lease",
    "LeaseRow", "LeaseState", "LedgerError", "Line", "ListPrice", "LocalClock", "LocalExecutor", "LocalNode", "Log",
    "Maintenance", "Margin", "Market", "MarketPrice", "MarketTerms", "MeterReading", "NewOrder", "NodeRefused",
    "NotIncluded", "Obligation", "Order", "OrderNumberTaken", "OrderRow", "OrderTerms", "OutOfRange", "Outcome", "Per",
    "Permit", "Place", "Placement", "Preview", "Price", "Product", "ProvenReading", "Purchase", "Quantity",
    "QueuedOrder", "Rate", "Rating", "Reason", "Receipt", "RelayDesk", "RelayQueue", "Report", "Reported", "Resolution",
    "Reverted",
    "Roles", "Secret", "Sender", "Sent", "Settings", "SignedOrder", "Signer", "Site", "SiteRecord", "SiteRow",
    "Skipped", "Snapshot", "Stage", "Standard", "StandingStep", "StepKind", "StepRow", "Store", "StoreUnavailable",
    "TakenElsewhere", "Tier", "TierPair", "Trade", "Turn", "Unavailable", "UnknownIntent", "UnknownName",
    "Unreachable", "UnreadableText",
    "UnsignedTransaction", "Uptime", "View", "Wanted", "WindowRecord", "WrongChain", "announce", "benchmarks", "board",
    "class_id_of", "class_name", "clearing_of", "closed_hours", "connect", "cost_micro", "count_unended",
    "create_keystore",
    "datasheets", "delivery_weight", "demand_curve", "deploy", "device_hash", "digest_of", "explain_settings",
    "fill_of", "filled_units", "format_bp", "format_hour", "format_hours", "format_milli_units", "format_price",
    "format_reference_price", "format_units", "format_usd", "govern", "grade_of", "grid_price", "hour_of",
    "in_process_chain", "is_signed", "job_of", "jobs", "latencies", "list_prices", "load_areas", "load_artifacts",
    "load_deployment", "load_signer", "load_standard", "local_node", "maintenance_domain", "maintenance_of",
    "market_prices", "open_jobs", "open_keystore", "open_store", "order_domain", "parse_bp", "parse_hour",
    "parse_hours", "parse_milli_units", "parse_quantity", "parse_rate", "parse_usd_micro", "past", "price_micro",
    "prove_reading", "queries", "read_document", "read_job_lines", "read_proven", "read_reading", "read_settings",
    "read_signed", "reading_domain", "records_of", "recover", "redeem_steps", "result_faults", "run_auction",
    "run_audit",
    "seed_standard", "send_together", "share_down", "share_up", "sign_order", "sign_permit", "sign_reading",
    "sign_withdrawal", "signed_by_contract", "signed_order", "signer_from_key_file", "signer_from_mnemonic",
    "signer_from_mnemonic_file", "site_record", "snapshot", "start_of_hour", "supply_curve",
    "sync_folder", "tick_at_or_above",
    "tick_at_or_below", "tier_of", "tier_report", "typed_data", "unit_price_down", "unit_price_up",
    "urls_of", "usage_root",
    "used_benchmarks", "verify_reading", "whole_units", "with_prefixes", "withdraw_announcement",
    "withdrawal_typed_data",
]  # fmt: skip

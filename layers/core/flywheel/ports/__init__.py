"""What the application needs from outside, as Protocols: `adapters/` has the real part of each, `tests/fakes` a double.

All times are UTC-aware. Every method may raise `TransientError` (try again later); other errors are named where they
can happen.
"""

from flywheel.ports.experiments import (
    ExperimentOutcome,
    ExperimentRow,
    ExperimentRuntime,
    ExperimentStore,
    LateScoreSource,
)
from flywheel.ports.live import LiveLedger
from flywheel.ports.outside import (
    Attempt,
    Callbacks,
    Clock,
    DatasetSnapshot,
    DatasetStore,
    EventBus,
    Image,
    ImageRegistry,
    Notifier,
    ObjectStore,
    Once,
    PromptStore,
    ScoreStore,
    Settings,
)
from flywheel.ports.prompts import PromptLabels, PromptStates
from flywheel.ports.pushes import PushClaims, ReleaseTags, TaggedImage, TaggedImages
from flywheel.ports.reviews import Claim, HumanScore, Queue, ReviewLedger, ReviewQueue
from flywheel.ports.runtimes import (
    AgentInvoker,
    AgentReply,
    Endpoint,
    InvocationFailure,
    Runtime,
    RuntimeControl,
    RuntimeSpec,
    RuntimeStatus,
)
from flywheel.ports.sampling import Alert, AnswerJudge, Closed, DayTotals, Progress, SamplingStore, TraceSource
from flywheel.ports.state import (
    GateArm,
    GateRow,
    GateStore,
    Head,
    Hold,
    Promotion,
    Release,
    ReleaseStore,
    Settlement,
)

__all__ = [
    "AgentInvoker",
    "AgentReply",
    "Alert",
    "AnswerJudge",
    "Attempt",
    "Callbacks",
    "Claim",
    "Clock",
    "Closed",
    "DatasetSnapshot",
    "DatasetStore",
    "DayTotals",
    "Endpoint",
    "EventBus",
    "ExperimentOutcome",
    "ExperimentRow",
    "ExperimentRuntime",
    "ExperimentStore",
    "GateArm",
    "GateRow",
    "GateStore",
    "Head",
    "Hold",
    "HumanScore",
    "Image",
    "ImageRegistry",
    "InvocationFailure",
    "LateScoreSource",
    "LiveLedger",
    "Notifier",
    "ObjectStore",
    "Once",
    "Progress",
    "Promotion",
    "PromptLabels",
    "PromptStates",
    "PromptStore",
    "PushClaims",
    "Queue",
    "Release",
    "ReleaseStore",
    "ReleaseTags",
    "ReviewLedger",
    "ReviewQueue",
    "Runtime",
    "RuntimeControl",
    "RuntimeSpec",
    "RuntimeStatus",
    "SamplingStore",
    "ScoreStore",
    "Settings",
    "Settlement",
    "TaggedImage",
    "TaggedImages",
    "TraceSource",
]

"""Everything that can be refused, as one tree.

    ArrpError
    ├── Malformed       the input cannot be read: usage, exit 2
    ├── NotFound        nothing is known under that name: exit 3
    ├── Refused         a rule of docs/protocol.md says no: exit 4
    │   ├── NeedsApproval   yes, once another officer signs: exit 7
    │   ├── Unauthenticated nobody knows who calls
    │   └── Forbidden       it is known who calls, and that they may not
    ├── Conflict        somebody was there first, or the same id has other content: exit 5
    │   └── Outdated        it changed since who wishes looked
    ├── Unreachable     written down and queued, but the other side is silent: exit 6
    └── Corrupt         what is stored is not what was stored: exit 8

Every message says what was asked, what is there, and what to do next. `rule` names the rule
(R-nn) where one decided. An `AssertionError` is never part of this tree: it is a bug of ours.
"""


class ArrpError(Exception):
    """Root of the tree. `exit_code` is the command line's, `status` the HTTP status."""

    exit_code = 1
    status = 500

    def __init__(self, message: str, *, rule: str = "", code: str = "") -> None:
        super().__init__(f"{rule} {message}" if rule else message)
        self.rule = rule
        self.code = code


class Malformed(ArrpError):
    """The input cannot be read."""

    exit_code = 2
    status = 400


class NotFound(ArrpError):
    """Nothing is known under that name."""

    exit_code = 3
    status = 404


class Refused(ArrpError):
    """A rule says no."""

    exit_code = 4
    status = 422


class NeedsApproval(Refused):
    """Written down; it leaves when the officers named by the rule have signed."""

    exit_code = 7
    status = 409


class Unauthenticated(Refused):
    """Nobody knows who calls."""

    status = 401


class Forbidden(Refused):
    """It is known who calls, and that they may not."""

    status = 403


class Conflict(ArrpError):
    """Somebody was there first, or the same id came with other content."""

    exit_code = 5
    status = 409


class Outdated(Conflict):
    """It changed since who wishes looked at it."""

    status = 412


class Unreachable(ArrpError):
    """Queued: the other side does not answer."""

    exit_code = 6
    status = 503


class Corrupt(ArrpError):
    """What is stored is not what was stored."""

    exit_code = 8
    status = 500

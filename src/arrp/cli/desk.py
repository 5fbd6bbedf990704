"""A running node's desk, over its owner-only socket: commands, drafts, and signatures made here.

The node never has an officer's key. It gives out the exact bytes of a draft; this side checks that
they hash to what it is asked to sign, shows them, signs, and sends the signature back.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Annotated, Any, Protocol
from urllib.parse import quote

import httpx2
import typer

from arrp.cli.passphrase import ask_passphrase
from arrp.cli.speaking import say, say_whole, show, show_json
from arrp.core.errors import ArrpError, Corrupt, Malformed, NeedsApproval, NotFound, Unreachable
from arrp.core.messages import Approval
from arrp.node.clock import Clock
from arrp.node.environment import home_from_environment
from arrp.node.keys import OfficerKey, load_officer_key
from arrp.wire.act_words import act_words
from arrp.wire.approvals import act_hash, approve, unb64
from arrp.wire.codec import dumps, parse_json

Home = Annotated[Path, typer.Option(help="Home of the running node; else ARRP_HOME.")]
Looking = Annotated[str, typer.Option("--officer", help="Who looks: for a case that not everybody may know.")]
OfficerId = Annotated[str, typer.Option(help="Who you are in the directory.")]
KeyFile = Annotated[Path | None, typer.Option(help="Your key file: signs what the command drafts.")]
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the request.")]
CaseId = Annotated[str, typer.Argument(metavar="CASE", help="Id of the case.")]

ELSEWHERE = Path()  # no --home: the environment says it


class Said(ArrpError):
    """What the node answered, with the exit code of its kind."""

    def __init__(self, detail: str, exit_code: int) -> None:
        super().__init__(detail)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Drafted:
    """The exact bytes of a draft, and the hash of salt and bytes that an officer signs."""

    act: str
    data: bytes
    salt: str
    act_hash: str

    @property
    def lines(self) -> list[str]:
        """R-23: what is signed, in words that were read from the very bytes."""
        return act_words(self.data, self.act_hash)

    @property
    def tree(self) -> dict[str, str]:
        return {"act": self.act, "act_hash": self.act_hash, "salt": self.salt, "bytes": self.data.decode()}


class Desk:
    """One conversation with the node at `home`, of an officer who says who they are, or of nobody in particular."""

    def __init__(self, home: Path, officer: str = "") -> None:
        home = home_from_environment() if home == ELSEWHERE else home
        if not (officer.isascii() and officer.isprintable()):
            raise Malformed(f"{officer[:64]!r} is no officer's id: letters, digits, dots, dashes and underscores")
        self.socket = home.absolute() / "node.sock"
        # Nothing is sealed on a socket of this machine: whom the system trusts is not read, which takes 20 ms.
        transport = httpx2.HTTPTransport(uds=str(self.socket), verify=SSLContext(PROTOCOL_TLS_CLIENT))
        # One connection for each question: a desk that is left behind keeps no socket open.
        self._client = httpx2.Client(transport=transport, base_url="http://node/v1", timeout=30,
                                     headers={"connection": "close", "arrp-officer": officer})

    def get(self, path: str, **query: Any) -> Any:
        return self._answer("GET", path, params=query)

    def post(self, path: str, value: Any, **query: str) -> Any:
        return self._answer("POST", path, json=value, params=query)

    def delete(self, path: str) -> None:
        self._checked(self._asked("DELETE", path))

    def upload(self, path: str, data: bytes, **query: str) -> Any:
        return self._answer("POST", path, params=query, content=data)

    def download(self, path: str, **query: str) -> bytes:
        """What the node gives out as it is. Raises Said."""
        return self._checked(self._asked("GET", path, params=query)).content

    def _checked(self, answer: httpx2.Response) -> httpx2.Response:
        """Raises Said for a refusal."""
        if answer.status_code >= 400:
            self._tree(answer)
        return answer

    def _answer(self, method: str, path: str, **given: Any) -> Any:
        return self._tree(self._asked(method, path, **given))

    def _asked(self, method: str, path: str, **given: Any) -> httpx2.Response:
        try:
            return self._client.request(method, _quoted(path), **given)
        except UnicodeError:
            raise Malformed("what was typed holds bytes that are no text: nothing was sent") from None
        except httpx2.HTTPError as error:
            raise Unreachable(
                f"no node answers on {self.socket} ({error}): start it with arrp node serve, or say --home"
            ) from error

    def _tree(self, answer: httpx2.Response) -> Any:
        try:
            tree = answer.json()
        except ValueError:
            raise Unreachable(f"the node answered {answer.status_code} without saying why: see its log") from None
        if answer.status_code >= 400:
            raise Said(str(tree.get("detail", tree)), int(tree.get("exit", 1)))
        return tree

    def wish(self, verb: str, officer: str, body: Any, *, request: str | None = None, case: str | None = None) -> Any:
        """A command. Its id is made here, before it is sent, so that the same wish is known again."""
        tree = None if body is None else parse_json(dumps(body))
        return self.post("/commands", {"id": Clock().new_id(), "verb": verb, "officer": officer, "case": case,
                                       "request": request, "body": tree})

    def draft(self, act: str) -> Drafted:
        """What waits for a signature. Raises Corrupt when the bytes are not those of the hash."""
        draft = self.get(f"/drafts/{act}")
        data = unb64(draft["bytes"])
        found = act_hash(unb64(draft["salt"]), data)
        if found != draft["act_hash"]:
            raise Corrupt(f"the node shows other bytes than it wants signed for {act}: sign nothing, ask the operator")
        return Drafted(act, data, draft["salt"], found)

    def sign(self, drafted: Drafted, officer: str, key: OfficerKey) -> Any:
        """Sign the very bytes that were shown."""
        approval = approve(key.signing, officer, key.key_id, drafted.act_hash)
        return self.post("/approvals", {"id": Clock().new_id(), "act": drafted.act, "approval": _tree(approval)})


def _quoted(path: str) -> str:
    """The way to a page: what was typed as an id stays one step of it. Raises NotFound for what leads elsewhere."""
    steps = path.split("/")
    if {".", ".."} & set(steps):
        raise NotFound(f"nothing on a node is called {path!r}")
    return "/".join(quote(step, safe="") for step in steps)


def _tree(approval: Approval) -> Any:
    return parse_json(dumps(approval))


class Wishing(Protocol):
    """The options that every command of an officer has."""

    @property
    def home(self) -> Path: ...
    @property
    def officer(self) -> str: ...
    @property
    def key(self) -> Path | None: ...
    @property
    def passphrase_file(self) -> Path | None: ...
    @property
    def as_json(self) -> bool: ...


def wished(asked: Wishing, verb: str, body: Any, *, request: str | None = None, case: str | None = None) -> None:
    """Send a command, sign its drafts where a key was given, and show what came of it.

    Raises NeedsApproval while a draft waits for another officer."""
    desk = Desk(asked.home, asked.officer)
    done = desk.wish(verb, asked.officer, body, request=request, case=case)
    said, waiting = list(done["said"]), []
    key = load_officer_key(asked.key, ask_passphrase(asked.passphrase_file)) if asked.key else None
    for draft in done["drafts"]:
        if key is not None:
            drafted = desk.draft(draft["act"])
            say_whole(drafted.lines)
            signed = desk.sign(drafted, asked.officer, key)
            said += signed["said"]
            waiting += signed["drafts"]  # what left with this signature, and waits for another officer's
            draft["signed"] = [*draft["signed"], asked.officer]
        if len(draft["signed"]) < draft["needs"]:
            waiting.append(draft)
    if asked.as_json:
        show_json({**done, "said": said, "drafts": waiting})
    else:
        _show(done, said)
    need_more(waiting)


def _show(done: Any, said: list[str]) -> None:
    show(f"case {done['case']}")
    for request in dict.fromkeys(done["requests"]):
        show(f"request {request}")
    for line in said:
        say(line)


def need_more(waiting: list[Any]) -> None:
    """Raises NeedsApproval naming the drafts that still wait."""
    if waiting:
        acts = "; ".join(f"{d['kind']} {d['act']} has {len(d['signed'])} of {d['needs']} signatures{_left(d)}"
                         for d in waiting)
        raise NeedsApproval(f"{acts}. Next: arrp approve ACT --officer ID --key KEY, as another officer")


def _left(draft: Any) -> str:
    """R-94: it left with one officer's signature, and until when the second may come."""
    return f", has left, and is withdrawn at {draft['second_by'][:16]}Z without them" if draft["second_by"] else ""

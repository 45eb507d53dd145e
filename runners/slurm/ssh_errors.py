"""The error messages of ssh: what to do about each, and whether waiting can help."""

from __future__ import annotations

# text in ssh's message, whether waiting can help, and what to do
ERRORS = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", False,
     "its key differs from the known one: ask the site whether it was changed, then remove the old key with"
     " `ssh-keygen -R {name}`"),
    ("Host key verification failed", False,
     "its key is unknown: run `ssh {host}` once by hand, compare the fingerprint with the site's and accept it"),
    ("Permission denied", False,
     "it refuses your login: load your key with ssh-add, or name it in ~/.ssh/config; if the site requires a second"
     " factor, log in by hand first with ControlMaster, and daasbench uses that connection"),
    ("Too many authentication failures", False,
     "too many keys were offered: name the right one by IdentityFile in ~/.ssh/config"),
    ("Could not resolve hostname", True,
     "no machine has this name: correct the option host, or define it in ~/.ssh/config"),
    ("Bad configuration option", False, "correct the option ssh, or your ssh configuration"),
    ("Can't open user config file", False, "correct the option ssh"),
    ("Connection refused", True, "it is down, or its sshd does not listen at that port: ask the site"),
    ("timed out", True, "it is down, or a firewall blocks the connection: ask the site"),
    ("No route to host", True, "this machine has no route to it: check your network or VPN"),
    ("Network is unreachable", True, "this machine has no route to it: check your network or VPN"),
)  # fmt: skip


def fix_of(message: str, host: str) -> tuple[str, bool]:
    """Return what to do about a message of ssh, and whether waiting can help."""
    for text, passing, fix in ERRORS:
        if text in message:
            return fix.format(host=host, name=host.rpartition("@")[2]), passing
    return f"try it by hand: `ssh {host} true`", True


def last_line(message: str) -> str:
    """Return the last informative line of a message of ssh."""
    lines = [line.strip() for line in message.replace("\r", "\n").splitlines() if line.strip()]
    informative = [line for line in lines if "UNKNOWN port" not in line]
    return (informative or lines or ["no reason given"])[-1].rstrip(".")

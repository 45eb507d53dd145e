"""Scripts of the POSIX shell that copy files over ssh; only $1, $2 ... and standard input vary, never their text."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

# standard input: pairs of offset and path; prints, for each file, a line "size offset path" and the bytes from there on
TAIL = (
    "xargs -0 -n 200 sh -c '"
    'while [ $# -gt 1 ]; do if [ -f "$2" ]; then if [ -r "$2" ]; then n=$(($(wc -c <"$2"))); else n=-1; fi; '
    'printf "%s %s %s\\n" "$n" "$1" "$2"; '
    'if [ $n -gt $1 ]; then tail -c +$(($1+1)) -- "$2" | head -c $((n-$1)); fi; fi; shift 2; done\' sh'
)
WRITE = (  # $1: folder; standard input: a tar archive
    'mkdir -p -- "$1" && cd -- "$1" && p=$(mktemp -d .part.XXXXXX) || exit 1; trap \'rm -rf -- "$1/$p"\' EXIT; '
    'tar -xf - -C "$p" && cd "$p" || exit 1; '
    "cp -rlf . .. 2>/dev/null && exit 0; "  # all at once; where there are no hard links, one by one:
    "find . -type d -exec sh -c 'for f; do mkdir -p -- \"../$f\" || exit; done' sh {} + && "
    'find . -type f -exec sh -c \'for f; do mv -f -- "$f" "../$f" || exit; done\' sh {} +; c=$?; cd ..; exit $c'
)
READ = "tar -cPf - --null --no-recursion -T - 2>/dev/null"  # omits the files that do not exist
MAKE_FOLDER = 'mkdir -p -- "$1"'
SIZES = 'for f in "$1" "$2"; do if [ -f "$f" ]; then wc -c <"$f"; else echo -1; fi; done'
APPEND = (  # $1: file, $2: its partial copy, $3: its size, $4: bytes of the partial copy that are kept
    'mkdir -p -- "$(dirname -- "$2")" && if [ "$4" = 0 ]; then rm -f -- "$2"; fi && cat >>"$2" || exit 1; '
    'if [ $(($(wc -c <"$2"))) -ne "$3" ]; then echo "only a part of it arrived" >&2; exit 1; fi; mv -f -- "$2" "$1"'
)
LOGIN_PATH = '"${SHELL:-sh}" -lc \'printf "\\n:%s\\n" "$PATH"\' 2>/dev/null </dev/null'  # PATH of a login shell


def with_arguments(script: str, arguments: Sequence[str]) -> str:
    """Return the command that runs a script with its $1, $2 ..."""
    return shlex.join(["sh", "-c", script, "sh", *arguments])

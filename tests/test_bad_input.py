"""Whatever a person gets wrong is one sentence with its cure, exit code 2, and nothing is run."""

from __future__ import annotations

import pytest

GOOD = """\
question = "Which way is the fastest?"
platforms = ["here"]
[[cases]]
kernel = "azimuthal_integration"
implementations = ["numpy"]
sizes = ["tiny"]
threads = 1
[repeat]
processes = 1
"""


def edit(old: str, new: str) -> str:
    """Return the good scenario with one thing wrong."""
    assert old in GOOD
    return GOOD.replace(old, new)


def in_case(line: str) -> str:
    """Return the good scenario with another line in its table of cases."""
    return edit("threads = 1", line)


def with_options(text: str) -> str:
    """Return the good scenario with options of the kernel."""
    return edit("[repeat]", f"[cases.options]\n{text}\n[repeat]")


SCENARIOS = [
    # unknown words, with the nearest match
    (edit("question", "qestion"), "no key 'qestion'; did you mean 'question'?"),
    (edit("sizes", "size"), "cases[0]: no key 'size'; did you mean 'sizes'?"),
    (edit("processes", "proceses"), "repeat: no key 'proceses'; did you mean 'processes'?"),
    (GOOD + "[goal]\ndeadline = 3\n", "goal: no key 'deadline'; did you mean 'deadline_s'?"),
    (edit('"azimuthal_', '"azimutal_'), "cases[0].kernel: no kernel 'azimutal_integration'; did you mean 'azimuthal_"),
    (edit('"tiny"', '"tinny"'), "cases[0].sizes: no size 'tinny'; did you mean 'tiny'?"),
    (edit('"numpy"', '"nunpy"'), "cases[0].implementations: no implementation 'nunpy'; did you mean 'numpy'?"),
    (edit('"here"', '"hear"'), "platforms[0]: no platform 'hear'; did you mean 'here'?"),
    (with_options("bin = 3"), "cases[0].options: no key 'bin'; did you mean 'bins'?"),
    (with_options('mode = "spilt"'), "cases[0].options.mode: expected one of 'nosplit', 'split' (did you mean 'split'"),
    # missing and empty
    ("", "question: is required and missing"),
    (edit('platforms = ["here"]\n', ""), "platforms: is required and missing"),
    ('question = "q"\nplatforms = ["here"]\n', "cases: is required and missing"),
    (edit('kernel = "azimuthal_integration"\n', ""), "cases[0].kernel: is required and missing"),
    (edit("Which way is the fastest?", " "), "question: expected the question to answer, in a sentence"),
    (edit('["here"]', "[]"), "platforms: expected a list of names or paths of platforms"),
    ('question = "q"\nplatforms = ["here"]\ncases = []\n', "cases: expected at least one table of cases"),
    (edit('["numpy"]', "[]"), 'cases[0].implementations: expected names of implementations, or "all"'),
    (edit('["tiny"]', "[]"), "cases[0].sizes: expected names of sizes, got an empty list"),
    (
        in_case("threads = []"),
        'cases[0].threads: expected a count of 1 or more, "max" or "ladder", or a list of them, got an',
    ),
    (in_case("seed = []"), "cases[0].seed: expected a whole number of 0 or more, or a list of them, got an empty list"),
    # wrong types
    (edit('"Which way is the fastest?"', "3"), "question: expected the question to answer, in a sentence, got 3"),
    (edit('["here"]', '"here"'), "got the text 'here'"),
    (edit('"azimuthal_integration"', "3"), "cases[0].kernel: expected text, got 3"),
    (edit('["tiny"]', "[3]"), "cases[0].sizes[0]: expected text, got 3"),
    (edit("[[cases]]", "[cases]"), "cases: expected at least one table of cases, headed [[cases]], got a table"),
    (edit("[repeat]", "[[repeat]]"), "repeat: expected a table, got a list"),
    (
        edit("processes = 1", 'processes = "3"'),
        "repeat.processes: expected a whole number of 1 or more, or a range such as [3, 12], got the text '3'",
    ),
    (
        edit("processes = 1", "processes = true"),
        "repeat.processes: expected a whole number of 1 or more, or a range such as [3, 12], got true",
    ),
    (in_case('cache = "yes"'), "cases[0].cache: expected true or false, got the text 'yes'"),
    (with_options('bins = "many"'), "cases[0].options.bins: expected a whole number of 1 or more, got the text 'many'"),
    (
        with_options("bins = [1, 2]"),
        "cases[0].options.bins: expected text or a whole number or a number or true or false, got a list",
    ),
    (with_options("bins = 2026-01-01"), "got 2026-01-01"),
    (with_options("geometry = 3"), "cases[0].options.geometry: expected the name of a file, got 3"),
    # counts
    *[
        (
            in_case(f"{axis} = {count}"),
            f'cases[0].{axis}: expected a count of 1 or more, "max" or "ladder", or a list of them',
        )
        for axis in ("threads", "nodes", "ranks", "gpus")
        for count in ("0", "-1", "1.5", '"1"', '"all"', "true", "10000000")
    ],
    (in_case("threads = [1, 0]"), 'cases[0].threads[1]: expected a count of 1 or more, or "max", got 0'),
    (in_case('threads = ["maxx"]'), "cases[0].threads[0]: expected a count of 1 or more"),
    (in_case("seed = -1"), "cases[0].seed: expected a whole number of 0 or more"),
    (in_case('seed = "max"'), "cases[0].seed: expected a whole number of 0 or more, or a list of them, got the text"),
    (edit('["tiny"]', '"max"'), "cases[0].sizes: no size 'max'"),
    (
        edit("processes = 1", 'processes = "max"'),
        "repeat.processes: expected a whole number of 1 or more, or a range such as [3, 12], got the text 'max'",
    ),
    (
        edit("processes = 1", "processes = 0"),
        "repeat.processes: expected a whole number of 1 or more, or a range such as [3, 12], got 0",
    ),
    (edit("processes = 1", "processes = 100000000"), "asks for 100000000 measurements (cases x processes), more than"),
    (edit("processes = 1", "min_repeats = 0"), "repeat.min_repeats: expected a whole number of 1 or more, got 0"),
    (edit("processes = 1", "min_repeats = 9\nmax_repeats = 3"), "repeat.max_repeats: 3 is less than min_repeats = 9"),
    (edit("processes = 1", "interval = 0"), "repeat.interval: expected a number above 0 and below 1, got 0"),
    (edit("processes = 1", "interval = 1.0"), "repeat.interval: expected a number above 0 and below 1, got 1.0"),
    (edit("processes = 1", "limit_s = -1"), "repeat.limit_s: expected a number above 0, got -1"),
    (edit("processes = 1", "limit_s = 1e300"), "repeat.limit_s: 1e+300 s is more than a year"),
    (GOOD + "[goal]\ndataset_gb = -1\n", "goal.dataset_gb: expected a number of 0 or more, got -1"),
    (in_case(f"seed = {list(range(1000))}\nranks = {list(range(1, 500))}"), "cases[0]: asks for 499000 cases, more"),
    # numbers that are none
    (edit("processes = 1", "limit_s = inf"), "repeat.limit_s: inf cannot be used; write a finite number"),
    (edit("processes = 1", "interval = nan"), "repeat.interval: nan cannot be used"),
    (with_options("radial_min = nan"), "cases[0].options.radial_min: nan cannot be used"),
    (in_case("threads = 99999999999999999999"), "cases[0].threads: 99999999999999999999 cannot be used"),
    # zip
    (in_case('threads = [1, 2]\nranks = [1, 2, 3]\nzip = [["ranks", "threads"]]'), "ranks has 3, threads has 2"),
    (in_case('zip = [["rank", "threads"]]'), "cases[0].zip: no axis 'rank'; did you mean 'ranks'?"),
    (in_case('zip = [["ranks", "threads"], ["threads", "nodes"]]'), "cases[0].zip: axis 'threads' is named twice"),
    (in_case('zip = [["threads", "threads"]]'), "cases[0].zip: axis 'threads' is named twice"),
    (in_case('zip = ["threads", "ranks"]'), "cases[0].zip[0]: expected two axes or more"),
    (in_case('zip = [["threads"]]'), "cases[0].zip[0]: expected two axes or more"),
    (in_case("zip = [[]]"), "cases[0].zip[0]: expected two axes or more"),
    # platforms
    (edit('["here"]', '["here", "here"]'), "platforms[1]: the list has two platforms called 'here'"),
    (edit('"here"', '"./nowhere.toml"'), "platforms[0]: 'nowhere.toml': no such file"),
    # options that contradict each other, as the kernel says
    (with_options("radial_min = 5\nradial_max = 3"), "cases[0].options: radial_min: 5.0 is not below radial_max = 3.0"),
    (with_options("bins = 10000000"), "cases[0].options: bins: 10000000 x 1 bins are too many"),
    # files
    (in_case('input = "frames.h5"'), "cases[0].input: no such file 'frames.h5' in /"),
    (in_case('input = ""'), "cases[0].input: is empty; name a file"),
    (in_case('input = "."'), "cases[0].input: '.' is a folder; name a file in it"),
    (in_case('input = "/dev/null"'), "cases[0].input: '/dev/null' is not a file"),
    (
        edit('"azimuthal_integration"', '"probes"').replace("threads", 'input = "q.toml"\nthreads'),
        "probes reads no files",
    ),
    # not TOML
    ("a b c\n", "is not TOML: expected '=' after a key in a key/value pair (at line 1"),
    (GOOD + "processes = 2\n", "is not TOML: cannot overwrite a value (at line 10"),
    ("a = " + "[" * 3000, "q.toml"),
]


@pytest.mark.parametrize(("text", "sentence"), SCENARIOS, ids=[sentence[:60] for _, sentence in SCENARIOS])
def test_a_wrong_scenario_is_refused_with_file_key_and_fix(refused, tmp_path, text, sentence):
    (tmp_path / "q.toml").write_text(text)
    message = refused("./q.toml")
    assert "q.toml: " in message
    assert sentence in message


@pytest.mark.parametrize(
    "content", [bytes(range(256)), GOOD.encode("utf-16"), GOOD.replace("?", "é").encode("latin-1")]
)
def test_a_file_that_is_no_text_is_refused(refused, tmp_path, content):
    (tmp_path / "q.toml").write_bytes(content)
    assert "q.toml: is not a text file in UTF-8; expected TOML" in refused("./q.toml")


def test_a_missing_scenario_is_refused_with_the_file_of_a_similar_name(refused, tmp_path):
    (tmp_path / "question.toml").write_text(GOOD)
    assert "questoin.toml: no such file; did you mean 'question.toml'?" in refused("questoin.toml")


def test_a_folder_is_no_scenario(refused, tmp_path):
    (tmp_path / "q.toml").mkdir()
    assert "q.toml: is a folder; name a TOML file" in refused("./q.toml")


def test_an_unknown_word_names_the_nearest_scenario_or_kernel(refused, tmp_path):
    assert "no scenario or kernel 'tomografy'; did you mean 'tomography'?" in refused("tomografy")
    assert "no scenario or kernel ''" in refused("")
    (tmp_path / "mine.py").write_text("")
    assert "to run the file of this folder: ./mine.py" in refused("mine")


# --- platform files -------------------------------------------------------------------------------------------

PRICE = (
    'runner = "local"\n[price]\namount = "1.85"\ncurrency = "EUR"\nper = "node-hour"\ndate = 2026-11-01\nsource = "x"'
)
PLATFORMS = [
    ("", "p.toml: runner: is required and missing"),
    ('runner = "slurmm"', "p.toml: runner: no runner 'slurmm'"),
    ('runer = "local"', "p.toml: no key 'runer'; did you mean 'runner'?"),
    ('runner = "local"\nnodes = 0', "p.toml: nodes: expected a whole number of 1 or more, got 0"),
    (
        'runner = "local"\ncores_per_node = "max"',
        "p.toml: cores_per_node: expected a whole number of 1 or more, got the text",
    ),
    ('runner = "local"\nmemory_gb = inf', "p.toml: memory_gb: inf cannot be used"),
    ('runner = "local"\n[options]\npartition = "gpu"', "p.toml: options: the runner local has no option 'partition'"),
    ('runner = "local"\n[options]\nlauncher = 3', 'p.toml: options.launcher: expected text such as "srun -n {ranks}"'),
    ('runner = "local"\n[options]\nlauncher = "srun {rank}"', "did you mean 'ranks'?"),
    ('runner = "local"\n[options]\nlauncher = "srun {ranks"', "p.toml: options.launcher: expected '}'"),
    ('runner = "local"\n[options]\nlauncher = "srun \'"', "p.toml: options.launcher: No closing quotation"),
    ('runner = "local"\n[options]\nscheduler = "login1"', "p.toml: options.scheduler: expected the address of a Dask"),
    ("garbage", "p.toml: is not TOML"),
    *[
        (
            PRICE.replace('"1.85"', amount),
            f'p.toml: price.amount: expected a number in quotes: "1.85", {got}',
        )
        for amount, got in [
            ('"-1.85"', "got the text '-1.85'"),
            ('"1,85"', "got the text '1,85'"),
            ('"nan"', "got the text 'nan'"),
            ("1.85", "got 1.85"),
            ('"' + "9" * 60 + '"', "got the text '999"),
        ]
    ],
    (
        PRICE.replace("EUR", "euro"),
        'p.toml: price.currency: expected three capital letters: "EUR"',
    ),
    (PRICE.replace("node-hour", "node-minute"), "price.per: expected one of 'core-hour', 'gpu-hour', 'node-hour'"),
    (
        PRICE.replace("2026-11-01", '"1st of May"'),
        "price.date: expected a date such as 2026-11-01, got the text '1st of",
    ),
    (PRICE.replace("2026-11-01", "20261101"), "p.toml: price.date: expected a date such as 2026-11-01, got 20261101"),
    (
        PRICE.replace('"x"', '""'),
        "p.toml: price.source: expected where the price comes from, in words, got the text ''",
    ),
    (PRICE.replace("source", "sauce"), "p.toml: price: no key 'sauce'; did you mean 'source'?"),
]


@pytest.mark.parametrize(("text", "sentence"), PLATFORMS, ids=[sentence[:60] for _, sentence in PLATFORMS])
def test_a_wrong_platform_file_is_refused_with_file_key_and_fix(refused, tmp_path, text, sentence):
    (tmp_path / "p.toml").write_text(text)
    (tmp_path / "q.toml").write_text(edit('"here"', '"p.toml"'))
    assert sentence in refused("./q.toml")


def test_two_files_that_make_one_platform_name_are_refused(refused, tmp_path):
    (tmp_path / "here.toml").write_text('runner = "local"')
    (tmp_path / "q.toml").write_text(edit('["here"]', '["here", "./here.toml"]'))
    assert "platforms[1]: the list has two platforms called 'here'" in refused("./q.toml")


# --- options of the command -----------------------------------------------------------------------------------

OPTIONS = [
    (["--set", "bins"], "--set bins: is not key=value; write an option of the kernel, or a dotted key"),
    (["--set", "=3"], "--set =3: is not key=value"),
    (["--set", ".=3"], "--set .=3: is not key=value"),
    (["--set", "cases[-1].threads=1"], "--set cases[-1].threads=1: is not key=value"),
    (["--set", "binz=3"], "--set binz=3: no option 'binz'; did you mean 'bins'?"),
    (
        ["--set", "bins=0"],
        "q.toml with --set bins=0: cases[0].options.bins: expected a whole number of 1 or more, got 0",
    ),
    (["--set", "bins=many"], "cases[0].options.bins: expected a whole number of 1 or more, got the text 'many'"),
    (["--set", "bins=5\nmode=3"], "cases[0].options.bins: expected a whole number of 1 or more, got the text"),
    (["--set", "threads=3"], "--set threads=3: no option 'threads'"),
    (["--set", "threads=3"], "threads is a key of cases: --set cases.threads=3"),
    (["--set", "limit_s=3"], "limit_s is a key of repeat: --set repeat.limit_s=3"),
    (["--set", "cases.thread=3"], "cases[0]: no key 'thread'; did you mean 'threads'?"),
    (["--set", "cases.5.threads=1"], "--set cases.5.threads=1: there is no entry 5; there are 1, counted from 0"),
    (["--set", "platforms.1=here"], "--set platforms.1=here: there is no entry 1"),
    (["--set", "repeat.processes.x=3"], "--set repeat.processes.x=3: repeat.processes is not a table"),
    (["--set", "repeat=3"], "repeat: expected a table, got 3"),
    (["--set", "options.bins=3"], "no key 'options'"),
    (["--set", "cases.0=3"], "cases[0]: expected a table, got 3"),
    (["--set", "radial_min=nan"], "cases[0].options.radial_min: nan cannot be used"),
    (["--set", "geometry=cal.poni", "--input", "q.toml"], "cases[0].options.geometry: no such file '/"),
    (["--set", "dataset=3", "--set", "cases.kernel=azimutal"], "cases[0].kernel: no kernel 'azimutal'"),
    (["--input", "frames.h5"], "cases[0].input: no such file '/"),
    (["--input", "."], "is a folder; name a file in it"),
    (["--platform", "hear"], "q.toml with --platform hear: platforms[0]: no platform 'hear'; did you mean 'here'?"),
    (["--platform", "here", "--platform", "here"], "platforms[1]: the list has two platforms called 'here'"),
    (["--platform", "./p.toml"], "/p.toml': no such file"),
    (["--platform", "/"], "'/': is a folder"),
    *[(["--budget", amount], f"--budget {amount!r}: is not an amount") for amount in ("", "much", "-5", "nan", "1,5")],
    (["--results", ""], "--results '': is not the name of a folder"),
    (["--results", "--again"], "--results '--again': is not the name of a folder"),
    (["--results", "q.toml"], "q.toml: cannot be written"),
    (["--agian"], "run: no such option '--agian'"),
    (["--set"], "run: option '--set' requires an argument; see daasbench run --help"),
    (["more"], "run: got unexpected extra argument (more); see daasbench run --help"),
]


@pytest.mark.parametrize(("words", "sentence"), OPTIONS, ids=[" ".join(words)[:60] for words, _ in OPTIONS])
def test_a_wrong_option_is_refused_and_named(refused, tmp_path, words, sentence):
    (tmp_path / "q.toml").write_text(GOOD)
    assert sentence in refused("./q.toml", *words)

"""The language of scenario files: what is refused and how that is said, that nothing escapes, and that every file ends soon."""

import ast
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heatproof.model.designs.heat import Heat
from heatproof.model.errors import HeatproofError
from heatproof.strategies import scenario_language, scenario_script
from heatproof.strategies.scenario_files import Run
from heatproof.strategies.scenario_interpreter import Interpreter
from heatproof.strategies.scenario_language import ScenarioFile, parse

PATH = Path("file.py")
CREATE = "engine.create_stack('s', Template({'A': RsrcDef({}, [])}))\n"


def read(text: str | bytes) -> ScenarioFile:
    return parse(PATH, text if isinstance(text, bytes) else text.encode())


def refusal(text: str | bytes) -> str:
    with pytest.raises(HeatproofError) as raised:
        read(text)
    return str(raised.value)


def values(text: str) -> dict[str, Any]:
    """The names of a script without the language's own names, after it has run."""
    interpreter = Interpreter(scenario_script.parse(PATH, text.encode(), (), ()), {})
    interpreter.run()
    return {name: value for name, value in interpreter._module.names.items() if name not in scenario_script.BUILTINS}


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("import os", "import"),
        ("from os import path", "import"),
        ("while True:\n    pass", "while"),
        ("class A:\n    pass", "class"),
        ("with test:\n    pass", "with"),
        ("try:\n    pass\nexcept NameError:\n    pass", "try"),
        ("raise test", "raise"),
        ("del engine", "del"),
        ("x += 1", "an assignment such as +="),
        ("x: int = 1", "an annotation"),
        ("x = lambda: 1", "lambda"),
        ("x = 1 if 2 else 3", "if inside a value"),
        ("x = f'{1}'", "an f-string"),
        ("x = {n for n in [1]}", "a set comprehension"),
        ("x = {n: n for n in [1]}", "a dict comprehension"),
        ("x = 'a' * 3", "the operator *"),
        ("x = '%s' % 3", "the operator %"),
        ("x = 9 ** 9", "the operator **"),
        ("x = [1][0:1]", "a slice"),
        ("x = (y := 1)", ":="),
        ("a, *b = [1, 2]", "*"),
        ("test.assertEqual(*[1, 1])", "*"),
        ("test.assertEqual(**{})", "**"),
        ("x = {**{}}", "**"),
        ("x = 1.5", "a value of type float"),
        ("x = b'a'", "a value of type bytes"),
        ("x = 2j", "a value of type complex"),
        ("x = ...", "a value of type ellipsis"),
        ("x = 36893488147419103232", "a number of more than 64 bits"),
        ("x = '\\x1b[2J'", "text that cannot be printed"),
        ("x = '\\ud800'", "text that cannot be printed"),
        ("engine.x = 1", "to assign to an attribute or an element"),
        ("{}['a'] = 1", "to assign to an attribute or an element"),
        ("for engine.x in []:\n    pass", "to assign to an attribute or an element"),
        ("def f() -> None:\n    pass", "a decorator or an annotation"),
        ("def f(a: 1):\n    pass", "an annotation"),
        ("def f(*a):\n    pass", "a function with *, ** or / in its arguments"),
        ("def f(*, a):\n    pass", "a function with *, ** or / in its arguments"),
        ("async def f():\n    pass", "AsyncFunctionDef"),
        ("def f(): yield 1", "yield"),
        ("def f(): return [(yield)]", "yield"),
        ("match engine:\n    case 1:\n        pass", "match"),
        ("print(1)", "the name 'print'"),
        ("open('x')", "the name 'open'"),
        ("get_datastore('Resource')", "the name 'get_datastore'"),
        ("engine.clear()", "the attribute 'clear'"),
        ("engine.converge('s', 1)", "the attribute 'converge'"),
        ("test.assertRaises(1)", "the attribute 'assertRaises'"),
        ("test.assertRegex('a', 'a')", "the attribute 'assertRegex'"),
        ("'{}'.format(1)", "the attribute 'format'"),
    ],
)
def test_what_is_not_part_of_the_language_is_refused_with_its_line(text: str, what: str) -> None:
    assert refusal(f"# a comment\n\n{text}\n{CREATE}") == f"file.py:3: {what} is not part of the scenario language"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (", "file.py:1: this is no Python 3: '(' was never closed"),
        ("print 'a'", "file.py:1: this is no Python 3: Missing parentheses in call to 'print'. Did you mean print(...)?"),
        ("\n\nreturn", "file.py:3: this is no Python 3: 'return' outside function"),
        ("break", "file.py:1: this is no Python 3: 'break' outside loop"),
        ("def f(a, a):\n    pass", "file.py:1: this is no Python 3: duplicate argument 'a' in function definition"),
        ("a\0", "file.py:1: this is no Python 3: source code string cannot contain null bytes"),
        (b"\xff\xfe", "file.py: this is no text: byte 0 is not UTF-8"),
        (b"\x7fELF\x02\x01", "file.py:1: this is no Python 3: invalid non-printable character U+007F"),
        ("x = 1\n", "file.py: this is no scenario: it asks nothing of the engine"),
        ("", "file.py: this is no scenario: it asks nothing of the engine"),
        ("#" * 200_001, "file.py: 200001 bytes are too much for a scenario; 200000 are the most"),
        ("x = " + "-" * 20_000 + "1", "file.py: nested too deeply"),
        ("x = y" + ".name" * 20_000, "file.py: nested too deeply"),
        ("x = " + "1" * 5000, "file.py:1: this is no Python 3: Exceeds the limit (4300 digits) for integer string conversion"),
    ],
    ids=range(14),
)
def test_what_is_no_python_is_refused(text: str | bytes, message: str) -> None:
    assert refusal(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Template({'A': RsrcDef({'a': GetRes('B')}, [])})", "resource 'A' refers to 'B', which the template does not define"),
        ("Template({'A': RsrcDef({}, ['A'])})", "the template has a cycle: A -> A"),
        ("Template({'A': RsrcDef({}, ['B']), 'B': RsrcDef({'x': GetAtt('A', 'a')}, [])})", "the template has a cycle"),
        ("Template([1, 2])", "a template is made of a dictionary of resources by name, not of [1, 2]"),
        ("Template({'A': 1})", "resource 'A' is 1, not RsrcDef(properties, depends_on)"),
        ("Template({1: RsrcDef({}, [])})", "the name of a resource is text of 1 to 255 characters without '/': 1 will not do"),
        ("Template({'a/b': RsrcDef({}, [])})", "the name of a resource is text of 1 to 255 characters"),
        ("Template({'': RsrcDef({}, [])})", "the name of a resource is text of 1 to 255 characters"),
        ("Template({'A': RsrcDef([], [])})", "resource 'A': the properties are a dict, not []"),
        ("Template({'A': RsrcDef({}, 1)})", "resource 'A': what it depends on is a list of names, not 1"),
        ("Template({'A': RsrcDef({}, [1])})", "resource 'A': what it depends on is a list of names, not [1]"),
        ("Template({'A': RsrcDef({'a': []}, [])})", "resource 'A': property 'a' is []; it can be text, a number, None, GetRes or GetAtt"),
        ("Template({'A': RsrcDef({1: 'a'}, [])})", "the name of a property is made of"),
        ("Template({'A': RsrcDef({}, [])}, 1, 2)", "TypeError: Template.__init__() takes from 1 to 3 positional arguments but 4 were given"),
        ("RsrcDef({})", "TypeError: RsrcDef.__init__() missing 1 required positional argument: 'depends_on'"),
        ("engine.create_stack('s', {})", "create_stack takes a name and a Template, not {}"),
        ("engine.create_stack(1, Template())", "the name of a stack is made of"),
        ("engine.create_stack('s')", "TypeError: Engine.create_stack() missing 1 required positional argument: 'scenario_tmpl'"),
        ("engine.update_stack('s', Template())", "update_stack('s') comes before create_stack('s')"),
        ("engine.delete_stack('s')", "delete_stack('s') comes before create_stack('s')"),
        ("engine.rollback_stack('s')", "rollback_stack('s') comes before create_stack('s')"),
        ("for n in [1, 2]: engine.create_stack('s', Template())", "stack 's' is created twice; update it, or give the second one another name"),
        ("engine.noop('a')", "noop takes a number of turns, not 'a'"),
        ("engine.call(1)", "call takes a function and its arguments, not 1"),
        ("for n in range(3000): engine.noop()", "more than 2000 messages are queued"),
        ("test.assertTrue(True)", "nothing has run yet: put this into a function and queue it with engine.call(function)"),
        ("test.fail()", "nothing has run yet: put this into a function and queue it with engine.call(function)"),
        ("verify(Template())", "nothing has run yet: put this into a function and queue it with engine.call(function)"),
        ("len(reality.all_resources())", "nothing has run yet: put this into a function and queue it with engine.call(function)"),
        ("verify(1)", "verify takes a Template, not 1"),
        ("x = 1\n[].name", "list has no attribute 'name' here; it has count, index"),
        ("engine.target_name", "Engine has no attribute 'target_name' here; it has call, create_stack, "),
        ("len.name", "builtin_function_or_method has no attribute 'name' here; it has none"),
        ("assert 1 == 2", "1 == 2 is not true"),
        ("x = y\ny = 1", "NameError: 'y' has no value yet"),
        ("x = [][0]", "IndexError: list index out of range"),
        ("x = {}['a']", "KeyError: 'a'"),
        ("x = 1 + 'a'", "TypeError: unsupported operand type(s) for +: 'int' and 'str'"),
        ("a, b = [1]", "ValueError: 1 values for 2 names"),
        ("x = {[]: 1}", "TypeError: unhashable type: 'list'"),
        ("def f(a): pass\nf()", "TypeError: f(a) is called with 0 values"),
        ("def f(a): pass\nf(1, 2)", "TypeError: f(a) is called with 2 values"),
        ("def f(a): pass\nf(1, a=2)", "TypeError: f(a) is called with 2 values"),
        ("def f(a): pass\nf(b=2)", "TypeError: f(a) is called with 1 values"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_where_it_stands(text: str, message: str) -> None:
    line = text.count("\n") + (0 if text.startswith("x = y") else 1)
    told = refusal(f"{text}\n{CREATE if 'create_stack(' not in text and 'before' not in message else ''}")
    assert told.startswith(f"file.py:{line}: {message}")


@pytest.mark.parametrize("call", ["engine.noop(1)", "engine.call(len, [])", "engine.delete_stack('s')", "worker.noop()"])
def test_a_function_that_is_called_cannot_queue(call: str) -> None:
    file = read(f"def late():\n    {call}\n{CREATE}engine.call(late)\n")
    with pytest.raises(HeatproofError, match=r"file\.py:2: too late to queue a message: only the script itself can"):
        Run(file, Heat()).run()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("test.assertEqual(1)", "assertEqual takes 2 values and a message, not 1"),
        ("test.assertTrue(1, 2, 3)", "assertTrue takes 1 values and a message, not 3"),
        (
            "reality.name",
            "Reality has no attribute 'name' here; it has all_resources, resource_properties, resources_by_logical_name",
        ),
        ("reality.all_resources()[0].attr", "Thing has no attribute 'attr' here; it has id, logical_name, "),
    ],
)
def test_what_makes_no_sense_in_a_function_is_refused_and_no_failure(call: str, message: str) -> None:
    file = read(f"def check():\n    {call}\n{CREATE}engine.noop()\nengine.call(check)\n")
    with pytest.raises(HeatproofError) as raised:
        Run(file, Heat()).run()
    assert str(raised.value).startswith(f"file.py:2: {message}")


# -------------------------------------------------------------------------------------------------------------- escapes

ESCAPES = [
    "().__class__.__bases__[0].__subclasses__()",
    "__import__('os').system('true')",
    "__builtins__",
    "eval('1')",
    "exec('1')",
    "globals()",
    "getattr(engine, 'queue')",
    "vars(engine)",
    "type(engine)",
    "object()",
    "'{0.__class__}'.format(engine)",
    "'{a.__class__}'.format_map({'a': engine})",
    "engine.put(operation=1)",
    "engine.queue",
    "engine.operations",
    "engine.open",
    "engine._line",
    "test._assert",
    "test.made",
    "reality.look",
    "verify.__self__",
    "verify.func",
    "engine.call.__func__.__globals__",
    "Template.mro",
    "Template().goal",
    "RsrcDef({}, []).definition",
    "(n for n in [1]).gi_frame.f_globals",
    "sorted.__self__",
    "len(__name__)",
    "test.assertRaises(len)",
    "next(iter([1])).real",
    "(1).bit_length()",
    "'a'.encode()",
    "[].append(1)",
    "{}.update({})",
    "engine.noop(count=1, __class__=1)",
    "engine.create_stack(stack_name='s', _line=1)",
]


@pytest.mark.parametrize("text", ESCAPES)
@pytest.mark.parametrize("frame", ["{}\n", "x = {}\n", "def f():\n    return {}\nf()\n", "x = [{} for n in [1]]\n"])
def test_nothing_escapes(text: str, frame: str) -> None:
    assert refusal(frame.replace("{}", text) + CREATE).startswith("file.py:")


def test_a_face_shows_no_more_than_a_scenario_needs() -> None:
    assert not [name for name in scenario_language.ATTRIBUTES if name.startswith("_")]
    for cls in scenario_language._CLASSES:
        hidden = {"put", "queue", "open", "operations", "look", "made", "goal", "definition"}
        assert not cls.script_face & hidden, cls


# ------------------------------------------------------------------------------------------------------- it ends, soon

LONG = "this takes too long; a scenario is a short list of operations"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 'ab'\n" + "x = x + x\n" * 40, "a value of size"),
        ("x = [1]\n" + "x = x + x\n" * 40, "a value of size"),
        ("x = [1]\n" + "x = [x, x]\n" * 40, "a value of size"),
        ("x = {}\n" + "x = {1: x, 2: x}\n" * 40, "a value of size"),
        ("x = 1\n" + "x = x + x\n" * 70, "a value of size"),
        ("x = []\n" + "x = [x]\n" * 40, "values are nested too deeply"),
        ("x = range(1000000000)", "range(0, 1000000000) is too long; 20000 numbers are the most"),
        ("x = range(0, 18446744073709551615, 1)", "range(0, 18446744073709551615) is too long"),
        ("def f(): f()\nf()", "nested too deeply, or a function that calls itself"),
        ("for a in range(20000):\n    for b in range(20000):\n        for c in range(20000):\n            pass", LONG),
        ("x = [1 for a in range(20000) for b in range(20000)]", LONG),
        ("x = range(20000)\nfor a in x:\n    sorted(x)", LONG),
        ("x = list(range(19000))\nfor a in x:\n    a in x", LONG),
        ("x = list(range(19000))\ny = list(range(19000))\nfor a in x:\n    x == y", LONG),
        ("x = list(range(19000))\nfor a in x:\n    y = max(x)", LONG),
        ("x = list(range(19000))\nfor a in x:\n    y = list(zip(x, x, x))", "a value of size"),
        ("def f(a):\n    return f\nfor a in range(20000):\n    for b in range(100):\n        f(f(1)(2))(3)", LONG),
    ],
)  # fmt: skip
def test_every_script_ends_soon(text: str, message: str) -> None:
    assert message in refusal(f"{text}\n{CREATE}")


def test_the_budget_covers_what_is_called_too() -> None:
    file = read(
        f"def slow():\n    for a in range(20000):\n        for b in range(20000):\n            pass\n{CREATE}engine.call(slow)\n"
    )
    with pytest.raises(HeatproofError, match=LONG):
        Run(file, Heat()).run()


# ------------------------------------------------------------------------------------------------------ it means Python


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\ndef f():\n    x = 2\n    return x\ny = f()", {"x": 1, "y": 2}),
        ("x = 1\ndef f():\n    global x\n    x = x + 1\nf()\nf()", {"x": 3}),
        ("def f(a, b=2):\n    return [a, b]\nx = f(1)\ny = f(b=1, a=2)", {"x": [1, 2], "y": [2, 1]}),
        ("def f(a):\n    def g(b):\n        return a + b\n    return g\nx = f(1)(2)", {"x": 3}),
        ("def f():\n    for a in [1, 2, 3]:\n        if a == 2:\n            return a\nx = f()", {"x": 2}),
        ("x = 0\nfor a in range(9):\n    if a == 3:\n        continue\n    if a == 6:\n        break\n    x = x + a", {"x": 12}),
        ("for a in [1]:\n    pass\nelse:\n    x = a", {"x": 1}),
        ("for a in [1]:\n    break\nelse:\n    x = a", {"a": 1}),
        ("(a, [b, c]), d = [(1, [2, 3]), 4]", {"a": 1, "b": 2, "c": 3, "d": 4}),
        ("x = y = [1]", {"x": [1], "y": [1]}),
        ("n = 5\nx = [n for n in range(3) if n > 0 if n != 2]", {"n": 5, "x": [1]}),
        ("x = sorted(a + b for a in [1, 2] for b in [3, a])", {"x": [2, 4, 4, 5]}),
        ("x = 1 < 2 < 3\ny = 1 < 3 < 2\nz = 0 or 'a' and 'b'", {"x": True, "y": False, "z": "b"}),
        ("if 1 == 2:\n    x = 1\nelif 2 == 2:\n    x = 2\nelse:\n    x = 3", {"x": 2}),
        ("a = 1\nx = [1 in {1: 2}, 1 not in (1,), a is None, a is not None, not 0, -3]", {"x": [True, False, False, True, True, -3]}),
        ("x = {'a': 1}.get('b', 2)\ny = next(iter([]), 3)\nz = 'ab'.startswith('a')", {"x": 2, "y": 3, "z": True}),
        ("x = (1, 2)[-1]\ny = {1, 2} - {2}\nz = min([3, 1])", {"x": 2, "y": {1}, "z": 1}),
    ],
)  # fmt: skip
def test_a_script_means_what_it_means_in_python(text: str, expected: dict[str, Any]) -> None:
    found = values(text)
    told: dict[str, Any] = {}
    exec(compile(text, "file.py", "exec"), told)
    for name, value in expected.items():
        assert found[name] == told[name] == value
    assert found.keys() == told.keys() - {"__builtins__"}


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    file = read(b"\xef\xbb\xbfx = 1\r\n" + CREATE.encode())
    assert file.engine.queue[0].line == 2


def test_a_statement_is_quoted_in_one_line() -> None:
    file = read("x = [\n    1,\n]\n" + CREATE)
    assert file.script.source(1) == "x = [ 1, ]"
    assert file.script.source(4) == CREATE.strip()


ATOMS = st.sampled_from(["0", "1", "-2", "'a'", "'b'", "None", "True", "x", "y", "[]", "()", "{1: 2}", "{3}"])
BINARY = st.sampled_from(["+", "-", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, BINARY, inner).map(lambda t: f"({' '.join(t)})"),
        inner.map(lambda e: f"(not {e})"),
        st.lists(inner, max_size=3).map(lambda es: f"[{', '.join(es)}]"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}, {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}[{t[1]}]"),
        st.tuples(st.sampled_from(["len", "sorted", "list", "bool", "any", "max", "set", "tuple"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"[{t[0]} for x in {t[1]} if {t[2]}]"),
    ),
    max_leaves=8,
)  # fmt: skip


@given(EXPRESSIONS)
def test_an_expression_has_the_value_that_it_has_in_python(text: str) -> None:
    source = f"x = 1\ny = 'a'\nz = {text}\n"
    told: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(source, "file.py", "exec"), told)
    except Exception as error:
        with pytest.raises(HeatproofError, match=rf"^file\.py:3: {type(error).__name__}"):
            values(source)
    else:
        found = values(source)
        assert found["z"] == told["z"]
        assert type(found["z"]) is type(told["z"])


# ------------------------------------------------------------------------------------------------------------- fuzzing


def run_or_refuse(content: bytes) -> None:
    """No file does anything but run or be refused."""
    told = "file.py"
    try:
        Run(parse(PATH, content), Heat()).run()
    except HeatproofError as error:
        told = str(error)
    assert told.startswith("file.py")
    assert told.encode()


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"# -*- coding: utf-7 -*-\n+AGEAIgA-")
@example(b"# -*- coding: nonsense -*-\n")
def test_any_bytes_are_run_or_refused(content: bytes) -> None:
    run_or_refuse(content)


@given(st.text(max_size=200).filter(lambda text: text.isprintable()))
def test_any_text_is_run_or_refused(text: str) -> None:
    run_or_refuse(text.encode())


SCENARIO = (Path(__file__).parent / "prototype" / "update_in_place.py").read_text()
PIECES = [
    *sorted({piece for piece in SCENARIO.replace("\n", " \n ").split(" ") if piece}),
    "\n    ", "\n", "def f(a=1):\n    ", "return ", "for a in ", ":", "f(", ")", "[", "]", "{", "}", ",", ".", " = ", " + ", "engine", ".call(",
    ".noop(", "__class__", "while True:\n    ", "lambda: ", "*", "**", "-1", "0", "None", "global x\n", "x", "a", "f", "'", "Template(", "RsrcDef(",
    "GetAtt(", "verify", "worker", "test", ".assertEqual(", "reality.all_resources()", " if ", " else ", " in ", " is ", "not ", "import os\n",
    "assert ", "next(iter(",
]  # fmt: skip


@settings(max_examples=settings().max_examples * 2)
@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_any_pieces_are_run_or_refused(pieces: list[str]) -> None:
    run_or_refuse("".join(pieces).encode())


@given(st.data())
def test_a_scenario_with_a_few_lines_changed_is_run_or_refused(data: st.DataObject) -> None:
    lines = SCENARIO.splitlines()
    for _ in range(data.draw(st.integers(1, 4), "changes")):
        at = data.draw(st.integers(0, len(lines) - 1), "line")
        match data.draw(st.sampled_from(["drop", "swap", "replace", "copy"]), "how"):
            case "drop":
                lines[at] = ""
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1), "other")
                lines[at], lines[other] = lines[other], lines[at]
            case "replace":
                lines[at] = lines[at].replace(data.draw(st.sampled_from(PIECES)), data.draw(st.sampled_from(PIECES)))
            case _:
                lines.insert(at, lines[data.draw(st.integers(0, len(lines) - 1), "other")])
    run_or_refuse("\n".join(lines).encode())


NODES = [
    node for node in vars(ast).values()
    if isinstance(node, type) and issubclass(node, ast.AST) and node.__module__ == "ast" and not node.__subclasses__()
]  # fmt: skip


def test_every_kind_of_node_is_either_known_or_refused_in_words() -> None:
    """A node that a newer Python adds is refused: the list of what is known is the one that counts."""
    known = [node for node in NODES if issubclass(node, scenario_script._KNOWN)]
    assert not {node.__name__ for node in known} & {
        "Import",
        "ImportFrom",
        "While",
        "Lambda",
        "JoinedStr",
        "Starred",
        "Pow",
        "Mult",
        "Await",
    }
    assert len(known) < 60

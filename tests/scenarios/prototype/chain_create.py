# ruff: noqa
# Our own, in the words of Heat's prototype of 2014: the worker is called converger.
chain = Template(
    {
        "third": RsrcDef({"c": GetRes("second")}, []),
        "second": RsrcDef({"b": GetAtt("first", "a")}, []),
        "first": RsrcDef({"a": "alpha"}, []),
    }
)


def check_count(expected):
    test.assertEqual(expected, len(reality.all_resources()))


converger.noop(2)
engine.create_stack("chain", chain)
engine.call(check_count, 0)
engine.call(check_count, 0)
engine.call(check_count, 1)
engine.noop(2)
engine.call(verify, chain)

# ruff: noqa
# Our own: what next(iter(...)) gives stands for the physical resource itself, as the keys of the prototype's dicts did.
uuids = None


def store_uuids():
    global uuids
    uuids = [next(iter(reality.resources_by_logical_name(name))) for name in ("A", "B")]


def check_uuids():
    a, b = uuids
    test.assertIsNot(a, None)
    test.assertEqual(a, next(iter(reality.resources_by_logical_name("A"))))
    test.assertNotEqual(b, next(iter(reality.resources_by_logical_name("B"))))
    assert "A" == a.logical_name and a.properties["a"] == "old"
    for name, value in {"A": "new", "B": "new"}.items():
        for resource in reality.resources_by_logical_name(name):
            test.assertIn(value, list(resource.properties.values()))


before = Template(
    {
        "A": RsrcDef({"a": "old"}, []),
        "B": RsrcDef({"!b": GetAtt("A", "a")}, []),
    }
)
after = Template(
    {
        "A": RsrcDef({"a": "new"}, []),
        "B": RsrcDef({"!b": GetAtt("A", "a")}, []),
    }
)
engine.create_stack("stack", before)
engine.noop(2)
engine.call(verify, before)
engine.call(store_uuids)
engine.update_stack("stack", after)
engine.noop(6)
engine.call(verify, after)
engine.call(check_uuids)
engine.delete_stack("stack")

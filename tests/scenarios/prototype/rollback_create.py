# ruff: noqa
# Our own: a rollback in the middle of a create leaves nothing, and of two stacks the other is left alone.
pair = Template(
    {
        "A": RsrcDef({}, []),
        "B": RsrcDef({}, ["A"]),
    }
)
engine.create_stack("kept", pair)
engine.noop(2)
engine.call(verify, pair)

other = Template(
    {
        "X": RsrcDef({"a": 1, "b": True}, []),
        "Y": RsrcDef({}, "X"),
    }
)
engine.create_stack("dropped", other)
engine.rollback_stack("dropped")
engine.noop(4)
engine.call(verify, pair)

"""Worlds without the command line: step by step, and whole runs with properties."""

from countdown import PROPERTIES, STACK, Blind

from heatproof import Plan, World, create, resource, run, scenario

chain = scenario(create([resource("A"), resource("B", depends_on=["A"])]))
world = World(Blind(), chain)
while action := world.default():
    world.perform(action)
print(len(world.log), "actions,", world.database.rows[STACK]["S"])

world.undo()
print(len(world.log), "actions,", world.database.rows[STACK]["S"])
print([str(action) for action in world.actions()])

apart = scenario(create([resource("A"), resource("B")]), engines=1, threads=2)
runs = (run(Blind(), apart, PROPERTIES, Plan("random", seed)) for seed in range(100))
failed = next(done for done in runs if done.violations)
for violation in failed.violations.values():
    print(violation.name, "|", violation.witness.kind)

"""An alternative step of Heat: sync points that came too late are taken back."""

from heatproof.model.designs.heat import Heat
from heatproof.model.designs.heat.values import STACK, SYNC_POINT
from heatproof.model.effects import Delete, Read


class TakesBack(Heat):
    """After SU-7: if the traversal has lost the stack meanwhile, delete its sync points."""

    def insert_sync_points(self, st):
        """SU-6 and SU-7, and two steps more."""
        yield from super().insert_sync_points(st)
        now = yield Read("SU-7a", STACK, st.id)
        if now.traversal != st.traversal:
            yield Delete("SU-7b", SYNC_POINT, {"stack": st.id, "traversal": st.traversal})

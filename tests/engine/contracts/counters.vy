# A module with state and an event of its own, for Vault.

event Counted:
    count: indexed(uint256)
    note: String[20]

count: public(uint256)


@internal
def _count(note: String[20]):
    self.count += 1
    log Counted(count=self.count, note=note)

"""The audit of the house over the journals of a story: it folds them by rules of its own.

What `rrr audit` would find fault with in a story in which all laws hold is a defect of either.
"""

from bus.journals import Journals
from services.rrr import audit_causes
from services.rrr.audit_fold import Fold
from services.rrr.audit_read import read_all


def check_audit(journals: Journals) -> None:
    """Assert that the audit of the order path finds no fault with its journals."""
    fold = Fold()
    asked = read_all(journals.reader, fold, {}, lambda _bytes: None)
    audit_causes.hold(fold, asked)
    assert not asked.faults, f"audit: {asked.faults[:3]}"
    found = {law: faults[:2] for law, faults in fold.faults.items() if faults}
    assert not found, f"audit: it finds {found}"

"""`rrr data` as it is, in a process that dies like a kill -9 at the step that it is told."""

import sys

from services.rrr import main
from tests.services.writer.history_child import Death

if __name__ == "__main__":
    step = int(sys.argv.pop(1))
    sys.setprofile(Death(step))
    main()

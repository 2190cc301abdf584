"""`python -m services.writer SHARD` writes that shard: market, trading, analytics or backtest."""

import sys

from bus.process import main
from services.writer.build import builder, shard_named

if __name__ == "__main__":
    SHARD = shard_named(sys.argv[1:])
    main(f"writer_{SHARD}", builder(SHARD))

"""What hears of documents is told of nothing that a rollback writes, and of all else afterwards."""

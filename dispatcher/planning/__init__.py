"""Planning of visits: one model, one exact evaluator, and engines that are never believed without it (decision 22)."""

"""The journal: what a service recorded and what it took in, in one total order. One log, one writer, three readers."""

"""What operators and auditors look at while a system runs, also over HTTP."""

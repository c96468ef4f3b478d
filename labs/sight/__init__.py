"""How the site is doing: counters, metrics, the student that is a program, and what a class will need."""

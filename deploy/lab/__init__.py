"""What `./lab` does: set-up, the supervisor, and the project's commands. Standard library only, Python 3.11.

It runs before anything is installed, so it imports neither Django nor the agent; those run as processes of their
own, with only the environment that they need.
"""

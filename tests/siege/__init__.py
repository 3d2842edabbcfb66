"""A program of attacks and one of load, over HTTP, against a running stack.

`make attack` tries what a stranger, a rival venue and one's own staff could try; `make storm` lets
everybody come at once while parts of the stack are killed. Both print a summary line and end with
status 1 when a promise broke.
"""

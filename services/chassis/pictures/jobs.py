"""What is done with foreign pictures, each in a process of its own (see `workshop`)."""

from services.chassis.pictures.images import NotAPicture, Picture, TooLarge, cleaned
from services.chassis.workshop import Job, Jobs

JOBS: Jobs = {"picture": Job(cleaned, bytes, Picture, (TooLarge, NotAPicture))}

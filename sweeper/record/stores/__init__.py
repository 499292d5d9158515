"""Where run folders are kept: on a disk, or in a bucket with a working copy on each machine."""

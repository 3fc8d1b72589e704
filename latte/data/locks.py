"""Locks on open files (`flock`), which end with their process however that ends."""

import errno
import sys

if sys.platform != "win32":  # there are no such locks there
    import fcntl

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF}  # on some file systems
TAKEN = {errno.EAGAIN, errno.EACCES}


def lock(descriptor: int, *, shared: bool = False, wait: bool = True) -> bool | None:
    """Lock an open file or folder, or change the lock that this process has on it.

    Args:
        shared: others may have a shared lock at the same time.
        wait: as long as another process has a lock that excludes this one.

    Returns:
        Whether it is locked; None where there are no locks.
    """
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(
            descriptor,
            (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB),
        )
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        if error.errno in TAKEN and not wait:
            return False
        raise
    return True

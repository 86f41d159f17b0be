from sampan.runtime.nopivot import full_mounts

MOUNTINFO = """\
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:2 / /proc rw shared:5 - proc proc rw
3 2 0:2 /sys /proc/sys ro - proc proc rw
4 1 0:3 / /sys rw - sysfs sysfs rw
5 4 0:4 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
6 1 0:2 / /srv/a\\040b\\134c rw - proc proc rw
7 1 8:1 /b/rootfs /b/rootfs rw - ext4 /dev/sda1 rw
8 7 0:5 / /b/rootfs/proc rw - proc proc rw
9 1 0:6 / /b/rootfs2/proc rw - proc proc rw
10 7 0:7 / /b/rootfs rw - sysfs sysfs rw
"""


def test_whole_procfs_and_sysfs_mounts_of_the_host_are_found_the_last_first() -> None:
    assert full_mounts(MOUNTINFO, "/b/rootfs") == ["/b/rootfs2/proc", "/srv/a b\\c", "/sys", "/proc"]

"""What is done for another runtime just before it is executed, in the process that becomes its command.

Its memory goes with execve, and its mount namespace with its end, so nothing of this stays with the shim. Everything
that a name of the image leads to is opened inside the root (`linux.rootpath`).
Layout      <exec_dir>/{config.json, rootfs, shared-<n>, mapped-<n>}: a bundle of runtime-spec 1.2, bundle.md
Remapped    What is to be idmapped is so before the runtime sees it: few know how, and none needs to.
Errors      StageError with the text and exit code that our own runtime has for the same mistake; OSError.
"""

import os
import stat

from sampan.base import jsontext
from sampan.linux import constants as c
from sampan.linux import syscalls
from sampan.linux.mount import COPY_UP
from sampan.linux.rootpath import open_in_root, open_or_create_directory
from sampan.runtime import copyup, restrict
from sampan.runtime.identity import Identity, IdentityError, look_up
from sampan.runtime.rootfs import mount_root
from sampan.runtime.shim.foreign import bundle
from sampan.runtime.shim.foreign.view import leave_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sampan.runtime.idmap import IdMap
    from sampan.runtime.request import InitOrders


def make_bundle(orders: "InitOrders", *, namespace_paths: "dict[str, str]") -> None:
    """The root, mounted in a mount namespace of this process's own, and the config."""
    spec, folder = orders.spec, orders.exec_dir
    trees = [(number, _clone_tree(spec["mounts"][number])) for number in bundle.shared_binds(spec)]
    leave_host()
    sources = {number: _place(tree, f"{folder}/shared-{number}") for number, tree in trees}
    for number, mount in enumerate(spec.get("mounts") or []):
        if mount.get("uidMappings"):
            sources[number] = _place(_mapped_tree(mount), f"{folder}/mapped-{number}")
    root_path = f"{folder}/{bundle.ROOT}"
    os.mkdir(root_path, 0o700)
    mount_root(orders.rootfs, root_path)
    root_fd = os.open(root_path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    linux = spec.get("linux") or {}
    if linux.get("uidMappings"):
        from sampan.runtime.mappedlayers import AsMappedRoot

        with AsMappedRoot(_id_map(linux)):
            identity = _look_into(root_fd, orders, sources)
    else:
        identity = _look_into(root_fd, orders, sources)
    os.close(root_fd)
    os.chdir(folder)
    _write("config.json", bundle.config(spec, identity, namespace_paths=namespace_paths, sources=sources))


def _look_into(root_fd: int, orders: "InitOrders", sources: "dict[int, str]") -> Identity:
    """Everything that has to do with the files of the image."""
    spec = orders.spec
    for number, mount in enumerate(spec.get("mounts") or []):
        if COPY_UP in (mount.get("options") or []):
            _fill_volume(root_fd, mount["destination"], sources.get(number, mount["source"]))
    identity = _identity(root_fd, orders.user or "", orders.groups)
    cwd = spec["process"].get("cwd") or "/"
    if orders.create_cwd:
        os.close(open_or_create_directory(root_fd, cwd))
    restrict.enter_directory(root_fd, cwd)
    return identity


def _id_map(found: "dict[str, Any]") -> "IdMap":
    from sampan.runtime.idmap import IdMap, triples

    return IdMap(triples(found["uidMappings"]), triples(found["gidMappings"]))


def _mapped_tree(mount: "dict[str, Any]") -> int:
    tree = _clone_tree(mount)
    _id_map(mount).apply(tree)
    return tree


def _clone_tree(mount: "dict[str, Any]") -> int:
    """A bind's source, still a peer of the host's mount; the copies in our namespace will only be slaves of it."""
    flags = c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC
    if "rbind" in (mount.get("options") or []):
        flags |= c.AT_RECURSIVE
    return syscalls.open_tree(c.AT_FDCWD, mount["source"], flags)


def _place(tree_fd: int, path: str) -> str:
    if stat.S_ISDIR(os.fstat(tree_fd).st_mode):
        os.mkdir(path, 0o700)
    else:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    syscalls.move_mount(tree_fd, target)
    os.close(target)
    os.close(tree_fd)
    return path


def _fill_volume(root_fd: int, destination: str, source: str) -> None:
    if not os.path.isdir(source):
        return
    os.close(open_or_create_directory(root_fd, destination))
    flags = os.O_RDONLY | os.O_DIRECTORY
    image_fd = open_in_root(root_fd, destination, flags)
    volume_fd = os.open(source, flags | os.O_CLOEXEC)
    copyup.fill(image_fd, volume_fd)
    os.close(image_fd)
    os.close(volume_fd)


def _identity(root_fd: int, user: str, groups: "list[str]") -> Identity:
    try:
        return look_up(root_fd, user, groups)
    except IdentityError as error:
        raise restrict.StageError(str(error)) from error


def write_process(path: str, process: "dict[str, Any]", *, init_pid: int, user: str, groups: "list[str]") -> None:
    """The process object of an exec; names mean what they mean in the running container's root."""
    root_fd = os.open(f"/proc/{init_pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    identity = _identity(root_fd, user, groups)
    os.close(root_fd)
    leave_host()
    _write(path, bundle.process(process, identity))


def _write(path: str, found: "dict[str, Any]") -> None:
    text = memoryview(jsontext.dumps(found).encode("utf-8", "surrogateescape"))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    while text:
        text = text[os.write(fd, text) :]
    os.close(fd)

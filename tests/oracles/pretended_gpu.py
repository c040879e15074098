"""A GPU that is not there: true arithmetic on the CPU, of tensors that pretend to be on ``cuda``.

Every storage carries a device, and what a GPU refuses is refused in the words of torch: operations
on tensors of two devices, conversions to NumPy, generators of the other device, operations without
a kernel for CUDA, and more memory than there is. Loops that depend on data go on as they would.

A mode below autograd sees every operation, replaces ``cuda`` by the CPU and marks the storage of
the results. The methods of tensors that never reach it are replaced for the time. Rounding is that
of the CPU; what an operation allocates for itself alone, and the cache of the allocator, are not
seen; only the calling thread is watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from generalization import devices

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
COPIES = {"copy_", "_to_copy", "_copy_from", "_foreach_copy_", "_foreach_copy"}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
# These take a number of the CPU beside tensors of the GPU, although torch does not tag them so.
WITH_NUMBERS = {"where", "lerp", "fill_", "masked_fill", "masked_fill_", "clamp", "pow"}
WITH_NUMBERS |= {"searchsorted", "bucketize"}
METHODS = ("to", "numpy", "tolist", "__array__")


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


@cache
def _has_kernel(operation: Any) -> bool:
    """Return whether CUDA has an operation, which only builds with CUDA know."""
    if not torch.version.cuda:
        return True
    keys = ["CUDA", "CompositeImplicitAutograd", "CompositeExplicitAutograd"]
    keys.append("CompositeExplicitAutogradNonFunctional")
    name = operation.name()
    return any(torch._C._dispatch_has_kernel_for_dispatch_key(name, key) for key in keys)


class PretendedGpu(TorchDispatchMode):
    """The GPU.

    Attributes:
        memory: Its bytes.
        peak: The most bytes that were alive after an operation.
        runs_out: Bytes at which it runs out of memory, once.
    """

    def __init__(self, memory: int):
        super().__init__()
        self.memory, self.peak, self.runs_out = memory, 0, None
        self.inherited = False  # Whether what C++ makes without inputs belongs on the GPU.
        self._alive: dict[int, StorageWeakRef] = {}
        self._sizes: dict[int, int] = {}
        self._used = 0
        self._moving = self._computing = False

    def used(self) -> int:
        """Return the bytes that are alive."""
        for key in [key for key, storage in self._alive.items() if storage.expired()]:
            del self._alive[key]
            self._used -= self._sizes.pop(key)
        return self._used

    def has(self, tensor: Tensor) -> bool:
        """Return whether a tensor pretends to be on this GPU."""
        while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            tensor = torch._C._functorch.get_unwrapped(tensor)
        try:
            return tensor.untyped_storage()._cdata in self._alive
        except (NotImplementedError, RuntimeError):
            return False

    def shows(self, tensor: Tensor) -> bool:
        """Return whether a tensor says that it is on this GPU: not to its own kernels."""
        return not self._computing and self.has(tensor)

    def take(self, tensor: Tensor) -> Tensor:
        """Let a tensor, and all views of it, pretend to be on this GPU.

        Raises:
            OutOfMemoryError: If there is no memory left.
        """
        while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            tensor = torch._C._functorch.get_unwrapped(tensor)
        storage = tensor.untyped_storage()
        if storage._cdata in self._alive:
            return tensor
        # A weak reference keeps the address from being used again.
        self._alive[storage._cdata] = StorageWeakRef(storage)
        self._sizes[storage._cdata] = storage.nbytes()
        self._used += storage.nbytes()
        # Looking for what has gone is slow: once per hundred, and when it matters.
        if len(self._alive) % 100 == 0 or self._used > min(self.peak, self._limit()):
            self.peak = max(self.peak, self.used())
        if self._used > self._limit():
            self.runs_out = None
            raise torch.OutOfMemoryError(f"CUDA out of memory. {self._used} bytes are in use.")
        return tensor

    def _limit(self) -> int:
        return self.memory if self.runs_out is None else min(self.memory, self.runs_out)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        """Refuse what a GPU would, compute on the CPU, and mark the results.

        Raises:
            RuntimeError: As torch does.
            NotImplementedError: If CUDA has no such operation.
        """
        kwargs = dict(kwargs or {})
        name = operation._schema.name.removeprefix("aten::")
        wanted = kwargs.get("device")
        if wanted is not None:
            wanted = torch.device(wanted)
            kwargs["device"] = CPU
        kwargs.pop("pin_memory", None)
        given = _tensors((args, kwargs))
        here = [self.has(tensor) for tensor in given]
        if any(here) and not all(here):
            self._refuse_mixtures(operation, name, args, given, here)
        there = any(here) if wanted is None else wanted.type == "cuda"
        made_for_gpu = any(here) if name == "_to_copy" else self.inherited and not given
        if made_for_gpu and not self._moving:
            there = True  # Made by C++ with the options of a tensor of the GPU.
        generator = kwargs.get("generator")
        if generator is not None and (generator.device.type == "cuda") != there:
            wanted = "cuda" if there else "cpu"
            raise RuntimeError(
                f"Expected a '{wanted}' device type for generator but found "
                f"'{generator.device.type}'"
            )
        if there and not _has_kernel(operation):
            raise NotImplementedError(f"{operation} has no kernel for CUDA.")
        self._computing = True  # Operations in Python look at devices, which are the CPU here.
        try:
            found = operation(*args, **kwargs)
        finally:
            self._computing = False
        if there:
            elsewhere = {
                x.untyped_storage()._cdata for x, one in zip(given, here, strict=True) if not one
            }
            for result in _tensors(found):
                # A number of the CPU that an operation returns as it is stays there.
                if name == "_to_copy" or result.untyped_storage()._cdata not in elsewhere:
                    self.take(result)
        return found

    def _refuse_mixtures(self, operation, name, args, given, here) -> None:
        """Refuse an operation on tensors of two devices, unless torch allows it.

        Raises:
            RuntimeError: As torch does.
        """
        if name in COPIES:
            return
        if name in INDEXING and self.has(args[0]):
            # Indices may be on the CPU where the values are on the GPU, not the other way round.
            value = args[2] if len(args) > 2 else None
            if not isinstance(value, Tensor) or self.has(value) or not value.dim():
                return
        numbers = all(one or not tensor.dim() for tensor, one in zip(given, here, strict=True))
        takes = torch.Tag.pointwise in operation.tags or name in WITH_NUMBERS
        takes |= name.startswith("_foreach")
        if numbers and takes and (not operation._schema.is_mutable or self.has(args[0])):
            return
        shapes = [
            (tuple(x.shape), "cuda:0" if one else "cpu") for x, one in zip(given, here, strict=True)
        ]
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"cuda:0 and cpu! ({operation}: {shapes})"
        )

    def moved(self, tensor: Tensor, target: Any, move: Callable[[], Tensor]) -> Tensor:
        """Return a tensor on another device; ``move`` copies it if necessary."""
        there = torch.device(target).type == "cuda"
        self._moving = there != self.has(tensor)
        try:
            found = move()
        finally:
            self._moving = False
        return self.take(found) if there else found


class _Calls(TorchFunctionMode):
    """Tells a GPU whether the call that C++ makes tensors in was given one of its own."""

    def __init__(self, gpu: PretendedGpu):
        super().__init__()
        self.gpu = gpu

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, before = kwargs or {}, self.gpu.inherited
        inherits = kwargs.get("device") is None
        self.gpu.inherited = inherits and (
            before or any(map(self.gpu.has, _tensors((args, kwargs))))
        )
        try:
            return function(*args, **kwargs)
        finally:
            self.gpu.inherited = before


def _methods(gpu: PretendedGpu) -> Iterator[Any]:
    """Yield replacements of the methods that no mode sees, and of what torch says of GPUs."""
    original, raw = {name: getattr(Tensor, name) for name in METHODS}, False

    def as_it_was(name: str, tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        # The mode looks a method up by its name, and would find the replacement again.
        nonlocal raw
        before, raw = raw, True
        try:
            with torch._C.DisableTorchFunctionSubclass() if before else nullcontext():
                return original[name](tensor, *args, **kwargs)
        finally:
            raw = before

    def to(tensor, *args, **kwargs):
        if raw:
            return original["to"](tensor, *args, **kwargs)
        target = kwargs.pop("device", None)
        if target is None and args and isinstance(args[0], str | torch.device | int):
            target, args = args[0], args[1:]
        elif target is None and args and isinstance(args[0], Tensor):
            target, args = args[0].device, (args[0].dtype, *args[1:])
        if target is None:
            return as_it_was("to", tensor, *args, **kwargs)
        if gpu.has(tensor) != (torch.device(target).type == "cuda"):
            kwargs["copy"] = True
        return gpu.moved(tensor, target, lambda: as_it_was("to", tensor, CPU, *args, **kwargs))

    def to_numpy(name: str) -> Callable[..., Any]:
        def converted(tensor, *args, **kwargs):
            if gpu.has(tensor) and not raw:
                raise TypeError("can't convert cuda:0 device type tensor to numpy.")
            return as_it_was(name, tensor, *args, **kwargs)

        return converted

    def of_data(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def made(*args, device=None, **kwargs):
            like = args[0] if args and isinstance(args[0], Tensor) else None
            found = make(*args, **kwargs)
            if device is None:
                own = like is not None and make.__name__ in {"new_tensor", "as_tensor", "asarray"}
                there = own and gpu.has(like)
            else:
                there = torch.device(device).type == "cuda"
            return gpu.take(found) if there else found

        made.__name__ = make.__name__
        return made

    replaced = {
        "device": property(lambda tensor: GPU if gpu.shows(tensor) else CPU),
        "is_cpu": property(lambda tensor: not gpu.shows(tensor)),
        "is_cuda": property(gpu.shows),
        "to": to,
        "cpu": lambda tensor, **_: to(tensor, CPU),
        "cuda": lambda tensor, *_, **__: to(tensor, GPU),
        "tolist": lambda tensor: as_it_was("tolist", tensor),
        "get_device": lambda tensor: 0 if gpu.has(tensor) else -1,
        "new_tensor": of_data(Tensor.new_tensor),
        **{name: to_numpy(name) for name in ("numpy", "__array__")},
    }
    for name, function in replaced.items():
        yield patch.object(Tensor, name, function, create=True)
    for name in ("tensor", "as_tensor", "asarray", "scalar_tensor"):
        yield patch.object(torch, name, of_data(getattr(torch, name)))
    about = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "_lazy_init": lambda: None,
        "synchronize": lambda *_: None,
        "empty_cache": lambda: None,
        "get_device_name": lambda *_: "Pretended GPU",
        # A state of its own, which nothing here draws from.
        "get_rng_state": lambda *_: torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": lambda *_: None,
        "mem_get_info": lambda *_: (gpu.memory - gpu.used(), gpu.memory),
    }
    for name, function in about.items():
        yield patch.object(torch.cuda, name, function)


@contextmanager
def pretended_gpu(memory: int = 2**40) -> Iterator[PretendedGpu]:
    """Let this machine have a GPU, as far as this thread can tell.

    Args:
        memory: Its bytes.
    """
    gpu = PretendedGpu(memory)
    devices._memory_at_start.cache_clear()
    with ExitStack() as stack:
        stack.callback(devices._memory_at_start.cache_clear)
        for one in _methods(gpu):
            stack.enter_context(one)
        stack.enter_context(gpu)
        stack.enter_context(_Calls(gpu))
        yield gpu

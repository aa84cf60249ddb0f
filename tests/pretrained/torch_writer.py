"""Files as `torch.save` writes them, without PyTorch: pickles opcode by opcode, in a protocol that people can read."""

import zipfile

import numpy as np


def pickled_tensor(dtype="FloatStorage", key="0", offset=0, shape=(2, 3), strides=(3, 1)):
    storage = f"(S'storage'\nctorch\n{dtype}\nS'{key}'\nS'cpu'\nI0\ntQ"
    sizes = "".join("(" + "".join(f"I{n}\n" for n in numbers) + "t" for numbers in (shape, strides))
    return f"ctorch._utils\n_rebuild_tensor_v2\n({storage}I{offset}\n{sizes}I00\nNtR".encode()


def pickled_dictionary(**entries):
    return b"(d" + b"".join(f"S'{name}'\n".encode() + value + b"s" for name, value in entries.items())


def write_archive(path, pickled, storages=None, root="archive"):
    """Write what `data.pkl` says and the bytes of storages by key."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{root}/data.pkl", pickled)
        for key, content in (storages or {}).items():
            archive.writestr(f"{root}/data/{key}", content)
    return path


def write_weights(path, weights, prefix="module.", entry="model_state"):
    """Write a training checkpoint with the float32 arrays `weights`."""
    arrays = {f"{prefix}{name}": np.ascontiguousarray(array, "<f4") for name, array in weights.items()}
    tensors = {
        name: pickled_tensor(key=str(key), shape=a.shape, strides=np.array(a.strides) // 4)
        for key, (name, a) in enumerate(arrays.items())
    }
    content = pickled_dictionary(iters=b"I7\n", epoch=b"I2\n", **{entry: pickled_dictionary(**tensors)})
    return write_archive(path, content + b".", {str(key): a.tobytes() for key, a in enumerate(arrays.values())})

# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Planning a training
#
# Does it fit, how long does it take, and what should be shared among devices? A plan says so before anything runs: on
# a laptop, for accelerators that are elsewhere. It compiles the very step that the training will take, for as many
# virtual devices, and reads off what that needs. `weatherml plan CONFIG --devices 8xh200` prints the same.

# %%
import weatherml as wml
from weatherml.plan import plan_training

# %config InlineBackend.print_figure_kwargs = {"dpi": 76}

changes = ["model.depth=2", "training.batch_size=8"]  # two blocks for four: a plan is made sooner
config = wml.load_yaml(wml.ExperimentConfig, "../configs/planet.yaml", changes)

# %% [markdown]
# ## One device
#
# The grid is that of the source, a simulated planet; for data that are not here yet, `grid="721x1440"` names one.

# %%
alone = plan_training(config, "h200")
{part: f"{n_bytes / 2**20:.1f} MiB" for part, n_bytes in alone.memory.items()}

# %% [markdown]
# Activations, what the gradient keeps of every block, are the most by far. That is so for every network of this field:
# fields are large, weights are not. Computing blocks a second time keeps less of them, for up to a third more time.

# %%
again = plan_training(config, "h200", "training.device_memory.remat=blocks")
for name, plan in (("all kept", alone), ("blocks again", again)):
    print(f"{name:<14}{plan.needed / 2**20:7.0f} MiB{1e3 * plan.stages[0].step_seconds:8.2f} ms a step")

# %% [markdown]
# ## More devices
#
# `data` gives each device a part of the batch, and all of them all weights. `fsdp` shares weights, moments and average,
# too. `spatial` cuts every field into bands, which is for networks of which not even one sample fits.

# %%
plans = {"1 device": alone, "1, blocks again": again}
plans["data 4"] = plan_training(config, "4xh200")
for n in (2, 4):
    plans[f"fsdp {n}"] = plan_training(config, f"{n}xh200", f"training.mesh.fsdp={n}")

wml.plot.memory({name: plan.memory for name, plan in plans.items()})

# %% [markdown]
# What devices send to each other in a step, and what becomes of its time:

# %%
for name in ("data 4", "fsdp 4"):
    for what, n_bytes in plans[name].exchanged.items():
        print(f"{name}: {n_bytes / 1e6:6.2f} MB by {what}")

# %%
{name: f"{1e3 * seconds:.2f} ms" for name, seconds in plans["data 4"].stages[0].seconds.items()}

# %% [markdown]
# So small a network keeps an accelerator busy with starting kernels, which is what `calls` says. Times are sums of
# products at half the published peak, memory at three quarters, links at 70 %: assumptions, until a run has told.
#
# ## How long, and how fast must data come
#
# All stages of the curriculum and its validations; and what the loader must deliver meanwhile.

# %%
plan = plans["data 4"]
print(f"{24 * 60 * plan.days:.1f} minutes, {plan.loading / 1e9:.1f} GB/s from the store")

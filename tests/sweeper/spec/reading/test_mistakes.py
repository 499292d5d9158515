"""Each mistake that a search-space file can have: told once, with its line and the remedy."""

from pathlib import Path

import pytest

from tests.sweeper.spec.reading.texts import LR, problems

TABLE = [
    # unknown keys, at every level, with the nearest right one
    ("spaces: 1\n" + LR, ":1: spaces: no such key; did you mean 'space'?"),
    (LR + "foo: 1\n", ":2: foo: no such key; there are: name, description, data, trainer, train, "
     "space, constraints, seeds, finals, objective, search, scheduler, resources, max_concurrent, "
     "max_retries, checkpoints"),
    (LR + "train:\n  learning_rat: 1\n",
     ":3: train.learning_rat: no such training setting; did you mean 'learning_rate'?"),
    ("space: {learning_rte: {grid: [1]}}",
     ":1: space.learning_rte: no such training setting; did you mean 'learning_rate'?"),
    ("space: {learning_rate: {gird: [1]}}", ":1: space.learning_rate: 'gird' is none of grid, "
     "choice, uniform, loguniform, randint, lograndint, normal; did you mean 'grid'?"),
    ("space: {size: {grid: {s: {dmodel: 64}}}}",
     ":1: space.size.grid.s.dmodel: no such training setting; did you mean 'd_model'?"),
    (LR + "objective: {metrics: val_loss}",
     ":2: objective.metrics: no such key; did you mean 'metric'?"),
    (LR + "search: {algoritm: grid}",
     ":2: search.algoritm: no such key; did you mean 'algorithm'?"),
    (LR + "scheduler: {type: asha, grace_steps: 5, reduction: 2}",
     ":2: scheduler.reduction: no such key; did you mean 'reduction_factor'?"),
    (LR + "scheduler: {type: fifo, grace_steps: 5}",
     ":2: scheduler.grace_steps: no such key; there are: type"),
    (LR + "scheduler: {type: ahsa}",
     ":2: scheduler.type: must be asha, fifo, hyperband, median or pbt, got 'ahsa'"),
    (LR + "resources: {gpus: 1}", ":2: resources.gpus: no such key; did you mean 'gpu'?"),
    # what is missing
    ("name: x\n", ": space: is required"),
    (LR + "scheduler: {grace_steps: 5}",
     ":2: scheduler.type: is required: asha, fifo, hyperband, median or pbt"),
    ("space: {max_steps: {grid: [9, 99]}}\nscheduler: {type: asha}",
     ":2: scheduler.grace_steps: is required where max_steps is swept"),
    (LR + "scheduler: {type: asha}\nmax_retriez: 3",
     ":3: max_retriez: no such key; did you mean 'max_retries'?"),
    ("space: {batch_size: {randint: [1, 9]}}\nsearch: {algorithm: random}",
     ":2: search.num_trials: is required for a random search, as 20"),
    # wrong types
    ("name: 5\n" + LR, ":1: name: must be text, got 5"),
    ("name: a/b\n" + LR, ":1: name: must be letters, digits, '.', '_' and '-', and begin with a "
     "letter or a digit, got 'a/b'"),
    (f"name: {'x' * 65}\n" + LR, f":1: name: must have at most 64 characters, got '{'x' * 56}…"),
    (LR + "data: [a]", ":2: data: must be text, got [\"a\"]"),
    (LR + "train: 5", ":2: train: must be a mapping, got 5"),
    (LR + "train: {d_model: 1.5}", ":2: train.d_model: must be a whole number, got 1.5"),
    (LR + "train: {d_model: '64'}", ":2: train.d_model: must be a whole number, got '64'"),
    (LR + "train: {d_model: [64]}", ":2: train.d_model: must be one value, got [64]"),
    (LR + "train: {compile: 1}", ":2: train.compile: must be true or false, got 1"),
    (LR + "train: {compile: no}", ":2: train.compile: must be true or false, got 'no'"),
    (LR + "train: {dtype: fp8}",
     ":2: train.dtype: must be one of auto, float32, bfloat16, float16, got 'fp8'"),
    ("space: [a]", ":1: space: must be a mapping, got [\"a\"]"),
    ("space: {d_ff: 5}", ":1: space.d_ff: must say how it is swept, as {grid: [1, 2]} "
     "(grid, choice, uniform, loguniform, randint, lograndint, normal), got 5"),
    ("space: {d_ff: [64, 128]}", ":1: space.d_ff: must say how it is swept, as {grid: [64, 128]} "
     "(grid, choice, uniform, loguniform, randint, lograndint, normal), got [64, 128]"),
    ("space: {learning_rate: {min: 1e-4, max: 1e-2}}", ":1: space.learning_rate: 'min' is none of "
     "grid, choice, uniform, loguniform, randint, lograndint, normal; did you mean 'uniform', as "
     "{uniform: [low, high]}?"),
    ("space: {weight_decay: {times: 3, of: learning_rate}}", ":1: space.weight_decay: a value that "
     "follows from another setting is not swept; move it to `train:`"),
    ("space: {d_ff: {}}", ":1: space.d_ff: must have one key out of grid, choice, uniform, "
     "loguniform, randint, lograndint, normal, got none"),
    ("space: {d_ff: {randint: [1, 9], grid: [1]}}", ":1: space.d_ff: must have one key out of "
     "grid, choice, uniform, loguniform, randint, lograndint, normal, got randint, grid"),
    ("space: {d_ff: {grid: [64], step: 8}}",
     ":1: space.d_ff.step: no such key; there are: when, grid"),
    ("space: {d_ff: {randint: [64, 128], stp: 8}}",
     ":1: space.d_ff.stp: no such key; did you mean 'step'?"),
    ("space: {d_ff: {randint: [64, 128], step: 0.5}}",
     ":1: space.d_ff.step: must be a whole number, got 0.5"),
    ("space: {beta1: {uniform: [0, 0.5], step: 0}}",
     ":1: space.beta1.step: must be above 0, got 0"),
    ("space: {beta1: {uniform: [0, 0.5], step: 0.6}}",
     ":1: space.beta1.uniform: step must be at most high - low, got 0.6"),
    ("space: {d_ff: {lograndint: [0, 9]}}",
     ":1: space.d_ff.lograndint: low must be above 0 on a log scale, got 0"),
    ("space: {beta1: {normal: [0.9]}}", ":1: space.beta1.normal: must be a mean and a standard "
     "deviation, [mean, sd], got [0.9]"),
    ("space: {beta1: {normal: [0.9, 0]}}", ":1: space.beta1.normal: sd must be above 0, got 0.0"),
    ("space: {d_ff: {grid: 5}}",
     ":1: space.d_ff.grid: must be a list of values, or a mapping of named bundles, got 5"),
    ("space: {d_ff: {grid: [a]}}", ":1: space.d_ff.grid.0: must be a whole number, got 'a'"),
    ("space: {d_ff: {grid: [[1]]}}", ":1: space.d_ff.grid.0: must be one value, got [1]"),
    ("space: {size: {grid: {s: 64}}}", ":1: space.size.grid.s: must be a mapping, got 64"),
    (LR + "resources: {cpu: many}", ":2: resources.cpu: must be a number, got 'many'"),
    (LR + "resources: {cpu: .nan}", ":2: resources.cpu: must be finite, got NaN"),
    (LR + "search: {seed: 0.5}", ":2: search.seed: must be a whole number, got 0.5"),
    (LR + "objective: null", ":2: objective: must be a mapping, got null"),
    # values that cannot be
    (LR + "resources: {cpu: 0}", ":2: resources.cpu: must be above 0, got 0"),
    (LR + "resources: {gpu: 1.5}",
     ":2: resources.gpu: must be whole above 1 (below, trials share a GPU), got 1.5"),
    (LR + "resources: atuo",
     ":2: resources: must be auto, or a mapping as {cpu: 1, gpu: 0}, got 'atuo'"),
    (LR + "resources: 2", ":2: resources: must be a mapping, got 2"),
    (LR + "max_concurrent: 0", ":2: max_concurrent: must be at least 1, got 0"),
    (LR + "resources: {cases: [{when: {learning_rat: 1e-3}, cpu: 2}]}",
     ":2: resources.cases.0.when.learning_rat: no such name is swept; "
     "did you mean 'learning_rate'?"),
    (LR + "resources: {cases: [{when: {learning_rate: 7}, cpu: 2}]}",
     ":2: resources.cases.0.when.learning_rate: learning_rate is never 7"),
    (LR + "resources: {cases: [{when: {learning_rate: 1e-3}}]}",
     ":2: resources.cases.0: must say what is other there, as {gpu: 1}"),
    (LR + "resources: {cases: [{cpu: 2}]}", ":2: resources.cases.0.when: is required"),
    (LR + "resources: {cases: [{when: {learning_rate: 1e-3}, gpus: 2}]}",
     ":2: resources.cases.0.gpus: no such key; did you mean 'gpu'?"),
    (LR + "checkpoints: {keep: 1}", ":2: checkpoints.keep: must be at least 2, got 1"),
    (LR + "checkpoints: {budget: 20 gigs}", ":2: checkpoints.budget: must be a size, as 20GB, "
     "500MB or 1.5GiB, or a whole number of bytes, got '20 gigs'"),
    (LR + "checkpoints: {budget: 0}", ":2: checkpoints.budget: must be at least 1, got 0"),
    (LR + "checkpoints: {budget: true}",
     ":2: checkpoints.budget: must be a whole number, got true"),
    (LR + "checkpoints: {budgt: 1GB}",
     ":2: checkpoints.budgt: no such key; did you mean 'budget'?"),
    (LR + "checkpoints: 20GB", ":2: checkpoints: must be a mapping, got '20GB'"),
    (LR + "resources: {gpu: -1}", ":2: resources.gpu: must be at least 0, got -1"),
    (LR + "max_retries: -1", ":2: max_retries: must be at least 0, got -1"),
    (LR + "scheduler: {type: asha, grace_steps: 5, reduction_factor: 1}",
     ":2: scheduler.reduction_factor: must be at least 2, got 1"),
    (LR + "objective: {metric: loss}", ":2: objective.metric: must be 'val_loss', "
     "'val_perplexity', 'val_bits_per_byte', 'val_loss_ema' or 'train_loss', got 'loss'"),
    # empty grids, low above high, log scale at 0
    ("space: {}", ":1: space: must not be empty"),
    ("space: {d_ff: {grid: []}}", ":1: space.d_ff.grid: must not be empty"),
    ("space: {size: {choice: {}}}", ":1: space.size.choice: must not be empty"),
    ("space:\n  d_ff:\n    randint: [9, 8]", ":3: space.d_ff.randint: low must be below high, "
     "got [9, 8]"),
    ("space: {beta1: {uniform: [1, 0]}}",
     ":1: space.beta1.uniform: low must be below high, got [1.0, 0.0]"),
    ("space: {beta1: {uniform: [1]}}",
     ":1: space.beta1.uniform: must be two bounds, [low, high], got [1]"),
    ("space: {beta1: {uniform: [0, 1, 2]}}",
     ":1: space.beta1.uniform: must be two bounds, [low, high], got [0, 1, 2]"),
    ("space: {learning_rate: {loguniform: [0, 1]}}",
     ":1: space.learning_rate.loguniform: low must be above 0 on a log scale, got 0.0"),
    ("space: {d_ff: {grid: [64, 128, 64]}}", ":1: space.d_ff.grid: 64 stands twice; remove one"),
    ('space: {size: {grid: {"a\\n": {d_ff: 64}}}}',
     ":1: space.size.grid: the name of a bundle must be printable text, got 'a\\n'"),
    ('space: {"": {grid: {s: {d_ff: 64}}}}',
     ":1: space.: names bundles, and must be printable text"),
    # one owner for each setting
    (LR + "train: {learning_rate: 1}",
     ":1: space.learning_rate: stands in `train:` too; remove one of the two"),
    ("space: {d_ff: {grid: [64]}, size: {grid: {s: {d_ff: 64}}}}",
     ":1: space.size: d_ff is swept by space.d_ff already; remove one"),
    ("space: {d_ff: {grid: {s: {d_ff: 64}}}}",
     ":1: space.d_ff: names bundles, and is a column of the results; choose another name"),
    ("space: {status: {grid: {s: {d_ff: 64}}}}",
     ":1: space.status: names bundles, and is a column of the results; choose another name"),
    (LR + "train: {train_data: x.npy}",
     ":2: train.train_data: is not set here but by `data:`, a folder with these files"),
    # values derived from others
    (LR + "train: {warmup_steps: {times: 0.1}}", ":2: train.warmup_steps.of: is required"),
    (LR + "train: {warmup_steps: {times: 0.1, of: max_steps, from: 1}}",
     ":2: train.warmup_steps.from: no such key; there are: times, of"),
    (LR + "train: {warmup_steps: {times: a, of: max_steps}}",
     ":2: train.warmup_steps.times: must be a number, got 'a'"),
    (LR + "train: {warmup_steps: {times: 0.1, of: max_step}}", ":2: train.warmup_steps.of: "
     "no training setting 'max_step'; did you mean 'max_steps'?"),
    (LR + "train: {warmup_steps: {times: 0.1, of: dtype}}",
     ":2: train.warmup_steps.of: dtype is no number"),
    (LR + "train: {compile: {times: 1, of: max_steps}}",
     ":2: train.compile: is no number, and cannot be derived from one"),
    (LR + "train: {seed: {times: 1, of: seed}}",
     ":2: train.seed: is derived from itself: seed -> seed; state one of them"),
    (LR + "train: {warmup_steps: {times: 1, of: max_steps}}",
     ":2: train.warmup_steps: must be below max_steps (100000), got 100000"),
    ("space: {d_ff: {grid: [64]}}\ntrain: {d_ff: {times: 4, of: d_model}}",
     ":1: space.d_ff: stands in `train:` too; remove one of the two"),
    # conditions
    ("space: {d_ff: {grid: [8], when: {siz: s}}, size: {grid: {s: {num_layers: 1}}}}",
     ":1: space.d_ff.when.siz: no such name is swept; did you mean 'size'?"),
    ("space: {d_ff: {grid: [8], when: {size: t}}, size: {grid: {s: {num_layers: 1}}}}",
     ":1: space.d_ff.when.size: size is never 't'"),
    ("space: {d_ff: {grid: [8], when: {size: {s: 1}}}, size: {grid: {s: {num_layers: 1}}}}",
     ":1: space.d_ff.when.size: must be a list, got {\"s\": 1}"),
    ("space: {d_ff: {grid: [8], when: 5}}", ":1: space.d_ff.when: must be a mapping, got 5"),
    ("space: {d_ff: {grid: [8], when: {}}}", ":1: space.d_ff.when: must not be empty"),
    ("space: {d_ff: {grid: [8], when: {d_ff: 8}}}",
     ":1: space.d_ff.when: depends on itself; remove a condition"),
    ("space: {d_ff: {grid: [8], when: {beta1: 0.5}}, beta1: {uniform: [0, 0.9]}}\n"
     "search: {algorithm: random, num_trials: 1}",
     ":1: space.d_ff.when.beta1: must have listed values (`grid:` or `choice:`)"),
    # constraints
    (LR + "constraints: {less: [1, 2]}", ":2: constraints: must be a list, got {\"less\": [1, 2]}"),
    (LR + "constraints: [less]", ":2: constraints.0: must be a mapping, got 'less'"),
    (LR + "constraints:\n- les: [d_ff, d_model]",
     ":3: constraints.0.les: no such key; did you mean 'less'?"),
    (LR + "constraints: [{less: [d_ff]}]",
     ":2: constraints.0.less: must be two settings or numbers, [a, b], got [\"d_ff\"]"),
    (LR + "constraints: [{less: [d_ff, true]}]",
     ":2: constraints.0.less.1: must be the name of a setting or a number, got True"),
    (LR + "constraints: [{less: [d_ff, d_modl]}]",
     ":2: constraints.0.less.1: no training setting 'd_modl'; did you mean 'd_model'?"),
    (LR + "constraints: [{less: [dtype, 1]}]",
     ":2: constraints.0.less.0: dtype cannot be constrained, only other numbers"),
    (LR + "constraints: [{less: [1, 2], at_most: [1, 2]}]",
     ":2: constraints.0: must have one key out of less, at_most, divides"),
    (LR + "constraints: [{less: [1, learning_rate]}]",
     ":2: constraints: none of 2 combinations satisfies them all"),
    ("space: {beta1: {uniform: [0, 0.5]}}\nsearch: {algorithm: random, num_trials: 3}\n"
     "constraints: [{less: [0.9, beta1]}]",
     ":3: constraints: none of 1,000 random draws in a row satisfies them all"),
    # every point once per seed
    (LR + "seeds: 3", ":2: seeds: must be a list, as [0, 1, 2], got 3"),
    (LR + "seeds: []", ":2: seeds: must not be empty"),
    (LR + "seeds: [0, 1, 0]", ":2: seeds: 0 stands twice; remove one"),
    (LR + "seeds: [0, -1]", ":2: seeds.1: must be at least 0, got -1"),
    (LR + "seeds: [0]\ntrain: {seed: 1}",
     ":2: seeds: train.seed sets the seed already; remove one"),
    ("seeds: [0]\nspace: {seed: {grid: [1]}}",
     ":1: seeds: space.seed sets the seed already; remove one"),
    # a search that fits its space
    (LR + "search: {num_trials: 5}", ":2: search.num_trials: a grid search tries every "
     "combination; remove it, or set algorithm: random"),
    ("space: {d_ff: {randint: [64, 128]}}", ":1: space.d_ff: needs listed values in a grid search; "
     "list them with `grid:`, or draw them: search: {algorithm: random, num_trials: 20}"),
    # settings that do not go together
    (LR + "train: {d_model: 100, num_heads: 3}",
     ":2: train.num_heads: must divide d_model (100), got 3"),
    (LR + "train: {d_model: 12, num_heads: 4}", ":2: train.num_heads: must leave an even head "
     "size, d_model / num_heads (RoPE turns pairs; d_model is 12), got 4"),
    (LR + "train:\n  d_model: 100", ":2: train.num_heads: must divide d_model (100), got 8 "
     "(the default); set it in `train:`"),
    ("space:\n  size:\n    grid: {s: {d_model: 64, num_heads: 5}}", ":2: space.size: num_heads: "
     "must divide d_model (64), got 5"),
    ("space: {learning_rate: {grid: [1e-3, -1]}}", ":1: space.learning_rate: must be above 0, "
     "got -1.0 (in the trial of {learning_rate: -1})"),
    (LR + "train: {max_steps: 50, warmup_steps: 50}", ":2: train.warmup_steps: must be below "
     "max_steps (50), got 50"),
    (LR + "train: {eval_every_steps: 30}\nscheduler: {type: asha, grace_steps: 100}",
     ":2: train.eval_every_steps: must divide scheduler.grace_steps (100)"),
    (LR + "train: {max_steps: 50, warmup_steps: 0}\nscheduler:\n  type: asha\n  grace_steps: 50",
     ":5: scheduler.grace_steps: must be below max_steps (50), got 50"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), TABLE)
def test_each_mistake_is_told_once_with_its_line_and_remedy(
    tmp_path: Path, text: str, problem: str
) -> None:
    (found,) = problems(tmp_path, text)
    assert found.startswith(problem)

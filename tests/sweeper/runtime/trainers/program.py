"""A training program as people have them, small: it learns one number by noisy steps, and saves all
that it needs to go on exactly. What is wrong with it is an option."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--out", type=Path, default=Path("."))
parser.add_argument("--max_steps", type=int, default=40)
parser.add_argument("--every", type=int, default=10)
parser.add_argument("--resume", action="store_true")
parser.add_argument("--from_step", type=int, default=0)
parser.add_argument("--style", default="after", help="after, before, pattern, folder, async, hook")
parser.add_argument("--seconds", type=float, default=0.03, help="of a step")
parser.add_argument("--fault", default=None)
options = parser.parse_args()
hook: Any = None
if options.style == "hook":
    from sweeper_hook import trial as hook


def path(step: int) -> Path:
    return options.out / ("ckpt.json" if options.style != "pattern" else f"ckpt-{step}.json")


def folder_of(step: int) -> Path:
    if options.style == "async":
        return options.out / "latest"
    return options.out / f"{step}" / f"step_{step:06d}"


def save_folder(folder: Path, weights: str, state: str, dies: bool) -> None:
    """File by file, with a word between them, and time enough for who takes that for the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.json").write_text(weights)
    print("saved the weights")
    time.sleep(0.2)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / "state.json").write_text(state)
    (folder / "DONE").write_text("")


saving = threading.Thread(target=int)
saving.start()


def save(step: int) -> None:
    global saving
    if options.style in ("folder", "async"):
        dies = options.fault == "dies saving" and step == 2 * options.every
        state = json.dumps({"step": step, "rng": rng.getstate()})
        saving.join()
        arguments = (folder_of(step), json.dumps(weight), state, dies)
        saving = threading.Thread(target=save_folder, args=arguments)
        saving.start()
        if options.style == "folder":
            saving.join()
        return
    if step == 20 and options.fault == "fails saving":
        sys.exit(1)
    if step == 20 and options.fault == "saves nothing":
        return
    text = json.dumps({"step": step, "weight": weight, "rng": rng.getstate()})
    if options.fault == "torn":
        text = text[: len(text) // 2]
    path(step).write_text(text)  # in place, as torch.save does
    if options.fault == "dies saving" and step == 2 * options.every:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)


def say(step: int, loss: float) -> None:
    fault = options.fault if step >= 2 * options.every else None
    shown = {"nan": "nan", "word": "n/a"}.get(str(fault), f"{loss!r}")
    if fault == "misses":
        return
    if fault == "backwards":
        step -= options.every
    if fault == "no step":
        with open(os.environ["SWEEPER_METRICS"], "a") as file:
            file.write(json.dumps({"val_loss": loss}) + "\n")
    elif options.fault == "silent":
        print("all is well")
    elif options.fault == "encoding":
        sys.stdout.buffer.write(f"step {step}: val loss {shown}\n".encode("utf-16"))
    elif hook is not None:
        hook.report(step, val_loss=loss)
    else:
        print(f"step {step}: val loss {shown}")
    if fault in ("twice", "two values"):
        print(f"step {step}: val loss {loss if fault == 'twice' else loss + 1!r}")


def go_wrong(step: int) -> None:
    """In the middle of the run."""
    if step != 15:
        return
    match options.fault:
        case "ends":
            sys.exit(0)
        case "fails":
            raise ValueError("the loss is not what it was")
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "child":
            subprocess.Popen(["sleep", "1000"])
        case "daemon":
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
        case "floods":
            for _ in range(10_000):
                print("x" * 10_000)
        case "hangs":
            time.sleep(1000)
        case "asks":
            input("Go on? ")


if options.fault == "leaves" and os.fork():
    sys.exit(0)
if options.fault == "removes":  # as some do who want an empty folder
    shutil.rmtree(options.out)
    options.out.mkdir()
if options.fault == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
rng, weight, first = random.Random(0), 5.0, 0
if options.resume and options.fault != "begins anew":
    found = path(0)
    if options.style == "pattern":
        found = max(options.out.glob("ckpt-*.json"), key=lambda p: int(p.stem.split("-")[1]))
    if options.style in ("folder", "async"):
        found = folder_of(options.from_step) / "state.json"
    state = json.loads(found.read_text())
    if options.style in ("folder", "async"):
        state["weight"] = json.loads(found.with_name("weights.json").read_text())
    first, weight = state["step"], state["weight"]
    if options.fault != "forgets":
        version, numbers, rest = state["rng"]
        rng.setstate((version, tuple(numbers), rest))

if first == 0 and options.style == "after":
    say(0, weight * weight)  # as nanoGPT does
for step in range(first + 1, options.max_steps + 1):
    weight -= options.lr * (2 * weight + rng.gauss(0, 0.1))
    time.sleep(options.seconds)
    go_wrong(step)
    if step % options.every == 0:
        if options.style == "before":
            save(step)
        if options.fault == "saves until the next":
            saving.join()
        say(step, weight * weight)
        if options.style not in ("before", "hook") and options.fault != "never saves":
            save(step)
    elif step % options.every == 3:
        print(f"iter {step}: loss {weight * weight:.4f}, time 1.00ms")
    if hook is not None and hook.should_stop(step):
        save(step)
        raise SystemExit

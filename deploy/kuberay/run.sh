#!/bin/bash
# run.sh FILE NAME RUNS [OPTIONS…]: KubeRay starts anew what fails. This fails only where that helps:
# not after `stop` or max_spend (130), a mistake (2), or the end of a sweep without a success (1).
file=$1 name=$2 runs=$3
trap 'asked=1' TERM
python -m sweeper run "$file" --name "$name" --or-resume --runs "$runs" "${@:4}" &
driver=$!
wait $driver  # until it ends, or the signal comes
code=$?
if [ -n "$asked" ]; then
    kill -TERM $driver
    wait $driver
    exit 1
fi
case $code in
    130 | 2) exit 0 ;;
    1) python -m sweeper status "$name" --runs "$runs" --json | grep -q '"state": "finished"' ;;
    *) exit $code ;;
esac

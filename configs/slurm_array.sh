#!/usr/bin/env bash
#SBATCH --job-name=longhaul
#SBATCH --array=1-8
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=longhaul-%A_%a.log
#
# One input embedded by a job array, a shard for each task:
#
#   sbatch --array=1-8 configs/slurm_array.sh MODEL INPUT... -o OUT
#   SHARD=auto/8 sbatch --array=2,7 configs/slurm_array.sh MODEL INPUT... -o OUT    # two of them again
#
# What #SBATCH says is overruled by flags of sbatch. Two minutes before the time is up, and when a
# task is preempted, longhaul commits, ends with 75, and the task puts itself back into the queue.
set -u

"${LONGHAUL:-longhaul}" embed "$@" --shard "${SHARD:-auto}" &
child=$!
# The batch shell alone gets the signal; a wait that it interrupts is begun again.
trap 'kill -USR1 "$child" 2>/dev/null' USR1 TERM
wait "$child"
code=$?
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  code=$?
done
wait "$child" 2>/dev/null
again=$?
[ "$again" -ne 127 ] && code=$again

if [ "$code" -eq 75 ]; then
  # Sleeping until the requeue ends the task: its exit would be a failure to jobs that depend on it.
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}" && sleep 60
fi
exit "$code"

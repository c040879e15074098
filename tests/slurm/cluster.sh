#!/usr/bin/env bash
# A private Slurm on this host, without systemd, cgroups or accounting: `cluster.sh up|down FOLDER`.
set -euo pipefail
folder=$2

stop() {
    for pid in "$folder"/run/{slurmd.n1,slurmd.n2,slurmctld,munged}.pid; do
        [ -f "$pid" ] && kill "$1" "$(cat "$pid")" 2>/dev/null || true
    done
}

if [ "$1" = down ]; then
    SLURM_CONF="$folder/etc/slurm.conf" scancel --user="$(id -un)" || true
    stop -TERM
    sleep 1
    stop -KILL
    exit 0
fi

mkdir -p "$folder"/{bin,etc,run,log,state,spool/n1,spool/n2}
chmod 755 "$folder" "$folder"/*
head -c 1024 /dev/urandom >"$folder/etc/munge.key"
chmod 600 "$folder/etc/munge.key"
munged --force --socket="$folder/run/munge.sock" --key-file="$folder/etc/munge.key" \
    --pid-file="$folder/run/munged.pid" --log-file="$folder/log/munged.log" --seed-file="$folder/run/seed"

cat >"$folder/etc/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.sock
CredType=cred/munge
SlurmctldPort=6817
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.%n.pid
SlurmdSpoolDir=$folder/spool/%n
StateSaveLocation=$folder/state
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
KillWait=3
MinJobAge=600
AccountingStorageType=accounting_storage/none
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=17001 CPUs=2 RealMemory=9000 State=UNKNOWN
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=17002 CPUs=2 RealMemory=9000 State=UNKNOWN
PartitionName=cpu Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
echo "ConstrainCores=no" >"$folder/etc/cgroup.conf"

# Inside an allocation Snakemake's jobstep plugin drops SLURM_CONF before it calls srun.
printf '#!/bin/sh\nSLURM_CONF=%s exec /usr/bin/srun "$@"\n' "$folder/etc/slurm.conf" >"$folder/bin/srun"
chmod +x "$folder/bin/srun"

export SLURM_CONF="$folder/etc/slurm.conf"
slurmctld
slurmd -N n1
slurmd -N n2
for _ in $(seq 100); do
    [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c idle)" = 2 ] && exit 0
    sleep 0.2
done
sinfo -N
exit 1

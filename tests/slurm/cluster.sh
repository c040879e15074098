#!/usr/bin/env bash
# A private Slurm on this host, without systemd and cgroups: `cluster.sh up|down FOLDER`.
# Every node has one core, so that it runs one job, and the last two have a GPU that is only a file;
# time limits, requeues and the death of a node are noticed within seconds. ACCOUNTING=yes adds slurmdbd and a MariaDB of its own.
set -euo pipefail
folder=$2
nodes=(n1 n2 n3 n4 n5)
gpu_nodes="n4 n5"

stop() {
    for pid in "$folder"/run/{slurmd.n?,slurmctld,slurmdbd,mariadbd,munged}.pid; do
        [ -f "$pid" ] && kill "$1" "$(cat "$pid")" 2>/dev/null || true
    done
}

if [ "$1" = down ]; then
    export SLURM_CONF="$folder/etc/slurm.conf"
    scancel --user="$(id -un)" || true
    for _ in $(seq 60); do
        # Steps that are left behind would disturb the next cluster.
        [ -z "$(squeue -h 2>/dev/null)" ] && break
        sleep 0.5
    done
    stop -TERM
    sleep 1
    stop -KILL
    exit 0
fi

mkdir -p "$folder"/{bin,etc,run,log,state} "${nodes[@]/#/$folder/spool/}"
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
AuthInfo=socket=$folder/run/munge.sock,cred_expire=5
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
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdTimeout=9
ReturnToService=2
KillWait=10
MinJobAge=60
GresTypes=gpu
CONF
if [ "${ACCOUNTING:-no}" = yes ]; then
    cat >>"$folder/etc/slurm.conf" <<CONF
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePass=$folder/run/munge.sock
AccountingStorageTRES=gres/gpu
CONF
fi
for node in "${nodes[@]}"; do
    gpu=""
    if [[ " $gpu_nodes " == *" $node "* ]]; then
        touch "$folder/run/gpu-$node"
        echo "NodeName=$node Name=gpu Flags=nvidia_gpu_env File=$folder/run/gpu-$node" >>"$folder/etc/gres.conf"
        gpu=" Gres=gpu:1"
    fi
    echo "NodeName=$node NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((17000 + ${node#n}))" \
        "CPUs=1 RealMemory=9000$gpu State=UNKNOWN" >>"$folder/etc/slurm.conf"
done
cat >>"$folder/etc/slurm.conf" <<CONF
PartitionName=cpu Nodes=ALL Default=YES PriorityTier=1
PartitionName=urgent Nodes=ALL PriorityTier=2
CONF
echo "ConstrainCores=no" >"$folder/etc/cgroup.conf"

# Inside an allocation Snakemake's jobstep plugin drops SLURM_CONF before it calls srun.
printf '#!/bin/sh\nSLURM_CONF=%s exec /usr/bin/srun "$@"\n' "$folder/etc/slurm.conf" >"$folder/bin/srun"
chmod +x "$folder/bin/srun"

export SLURM_CONF="$folder/etc/slurm.conf"
if [ "${ACCOUNTING:-no}" = yes ]; then
    mkdir -p "$folder/database"
    mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$folder/database" --skip-test-db \
        --auth-root-authentication-method=normal >"$folder/log/install.log" 2>&1
    export MYSQL_UNIX_PORT="$folder/run/mysql.sock"
    mariadbd --no-defaults --user="$(id -un)" --datadir="$folder/database" --skip-networking \
        --socket="$MYSQL_UNIX_PORT" --pid-file="$folder/run/mariadbd.pid" \
        >"$folder/log/mariadbd.log" 2>&1 &
    for _ in $(seq 100); do
        mariadb --no-defaults -uroot -e "create database slurm_acct_db" 2>/dev/null && break
        sleep 0.2
    done
    cat >"$folder/etc/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
SlurmUser=$(id -un)
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
LogFile=$folder/log/slurmdbd.log
PidFile=$folder/run/slurmdbd.pid
CONF
    chmod 600 "$folder/etc/slurmdbd.conf"
    slurmdbd
    for _ in $(seq 100); do
        sacctmgr -n -i list cluster >/dev/null 2>&1 && break
        sleep 0.2
    done
    sacctmgr -i add cluster test >/dev/null 2>&1 || true
fi

slurmctld
for node in "${nodes[@]}"; do slurmd -N "$node"; done
for _ in $(seq 100); do
    [ "$(sinfo -h -p cpu -N -o %T 2>/dev/null | grep -c idle)" = "${#nodes[@]}" ] && exit 0
    sleep 0.2
done
sinfo -N
exit 1

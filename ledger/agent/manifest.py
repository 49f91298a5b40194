"""What a run is on Kubernetes: a `Job` of one pod, tried once, and a ConfigMap with its files.

The pod gets what the leased units come to, requests equal to limits, and its window's length; it is nobody's user,
without privileges and without a token of the cluster's. No shell reads a word of the document.
"""

import base64
import json
import re

from kubernetes import client

from ledger.agent.document import JobDocument
from ledger.agent.executor import Run
from ledger.errors import InputError

WORK = "/job"
LABELS = "compute-ledger"
NOBODY = 65_534
KEPT_S = 7 * 86_400
"""How long the cluster keeps a Job that has ended; what became of it is noted in the run's folder before."""

DISK = "16Gi"
"""What a run may write below its folder, as many as a file has under LocalExecutor: the pod that exceeds it ends."""

WORDS_BYTES_MAX = 512 * 2**10
"""How long command and environment may be together, as they are sent: the cluster keeps no object above 1.5 MiB."""

GPU = "nvidia.com/gpu"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def job_of(run: Run, image: str, site: int = 0) -> client.V1Job:
    """The Job of a run, named by it. Raises InputError for a run that cannot be one."""
    _check(run, image)
    document, files = run.document, sorted(run.document.files)
    volumes = [client.V1Volume(name="work", empty_dir=client.V1EmptyDirVolumeSource(size_limit=DISK))]
    mounts = [client.V1VolumeMount(name="work", mount_path=WORK)]
    if files:
        items = [
            client.V1KeyToPath(
                key=f"f{i}", path=f"f{i}", mode=0o555 if document.files[name].startswith(b"#!") else 0o444
            )
            for i, name in enumerate(files)
        ]
        volumes.append(
            client.V1Volume(name="files", config_map=client.V1ConfigMapVolumeSource(name=run.run_id, items=items))
        )
        # Each by itself: so the folder around them can be written to.
        mounts += [
            client.V1VolumeMount(name="files", mount_path=f"{WORK}/{name}", sub_path=f"f{i}", read_only=True)
            for i, name in enumerate(files)
        ]
    container = client.V1Container(
        name="job",
        image=document.image or image,
        command=[_literal(word) for word in document.command],
        working_dir=WORK,
        env=[client.V1EnvVar(name=name, value=_literal(value)) for name, value in _environment(document).items()],
        resources=_resources(run),
        volume_mounts=mounts,
        security_context=client.V1SecurityContext(
            allow_privilege_escalation=False, capabilities=client.V1Capabilities(drop=["ALL"])
        ),
    )
    pod = client.V1PodSpec(
        containers=[container],
        volumes=volumes,
        restart_policy="Never",
        automount_service_account_token=False,
        enable_service_links=False,
        termination_grace_period_seconds=5,
        security_context=client.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=NOBODY,
            run_as_group=NOBODY,
            fs_group=NOBODY,
            seccomp_profile=client.V1SeccompProfile(type="RuntimeDefault"),
        ),
    )
    labels = {
        "app.kubernetes.io/managed-by": LABELS,
        f"{LABELS}/lease": str(run.lease),
        f"{LABELS}/site": str(site),
    }
    return client.V1Job(
        api_version="batch/v1",
        kind="Job",
        metadata=client.V1ObjectMeta(name=run.run_id, labels=labels),
        spec=client.V1JobSpec(
            active_deadline_seconds=max(1, run.end_s - run.start_s),
            backoff_limit=0,
            completions=1,
            parallelism=1,
            ttl_seconds_after_finished=KEPT_S,
            template=client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=labels), spec=pod),
        ),
    )


def files_of(run: Run, owner_uid: str = "") -> client.V1ConfigMap:
    """The document's files, which go when the Job of that uid goes."""
    owner = client.V1OwnerReference(api_version="batch/v1", kind="Job", name=run.run_id, uid=owner_uid)
    return client.V1ConfigMap(
        api_version="v1",
        kind="ConfigMap",
        metadata=client.V1ObjectMeta(name=run.run_id, owner_references=[owner] if owner_uid else None),
        binary_data={
            f"f{i}": base64.b64encode(run.document.files[name]).decode()
            for i, name in enumerate(sorted(run.document.files))
        },
        immutable=True,
    )


def _check(run: Run, image: str) -> None:
    if not _NAME.fullmatch(run.run_id):
        raise InputError(
            f"The run's name {run.run_id[:80]!r} cannot name a Job.",
            "Use small letters, digits and dashes, 63 at most.",
        )
    if not (run.document.image or image):
        raise InputError("The job names no image, and this site has none for such jobs.", "Name one in the document.")
    if run.document.results:
        raise InputError(
            "The job wants files back, and from Kubernetes only its log comes back.", "Print what you need."
        )
    words = [*run.document.command, *(part for pair in _environment(run.document).items() for part in pair)]
    size = sum(len(json.dumps(_literal(word))) for word in words)
    if size > WORDS_BYTES_MAX:
        raise InputError(
            f"The job's words and variables are {size:,} bytes, and a pod may have {WORDS_BYTES_MAX:,}.",
            "Put what is long into a file of the document.",
        )
    for name in run.document.files:
        if ":" in name:
            raise InputError(f"No file can be mounted at {name!r}.", "Give it a name without a colon.")


def _environment(document: JobDocument) -> dict[str, str]:
    return {"HOME": WORK, **document.environment}


def _literal(text: str) -> str:
    """Kubernetes reads $(NAME) in commands and values as a variable, and $$ as $."""
    return text.replace("$", "$$")


def _resources(run: Run) -> client.V1ResourceRequirements:
    wanted = {"cpu": run.cpus, "memory": run.memory_bytes, GPU: run.gpus}
    have = {name: str(count) for name, count in wanted.items() if count}
    # Its folder, its container's own layer and its log together: what fills the node's disk would be others' end too.
    have["ephemeral-storage"] = DISK
    return client.V1ResourceRequirements(requests=have, limits=have)

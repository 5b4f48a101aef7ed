# SPDX-License-Identifier: Apache-2.0
"""Runs deploy/kubernetes without Kubernetes, and puts load on it.

    pods.py FOLDER-OF-MANIFESTS FOLDER-OF-PROGRAMS...

Each pod becomes a process with the user, group, environment, arguments and volumes of the manifest,
in mount, pid, ipc and net namespaces of its own, without capabilities, on a read-only root. The
networks are not connected, so a request that is served went through memory all the way. With another
secret, in another version, or in another directory, none is. The exporter's pod tells of all others.

Needs root, namespaces and PyYAML. Without, it is skipped, and the record of the test says why.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile

from record_skip import record_skip  # test/support

try:
    import yaml
except ImportError:
    yaml = None

GROUP = 2000
OWN_FOLDERS = {"dev", "etc", "lost+found", "proc", "run", "sys", "tmp"}


def run_as_root(*command):
    return subprocess.run(["unshare", "--mount", "--pid", "--ipc", "--net", "--fork", *command],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def folders_to_bind(program):
    """The folders of / that a program may need, and those with it that others may enter."""
    binds = [f"/{name}" for name in os.listdir("/") if name not in OWN_FOLDERS]
    path = ""
    for part in program.split("/")[1:-1]:
        closed = path and not os.stat(path).st_mode & 1
        path += "/" + part
        if closed:
            binds.append(path)
    return [folder for folder in binds if os.path.isdir(folder) and os.stat(folder).st_mode & 1]


class Pod:
    """A pod of the manifest: what it says, as processes need it."""

    def __init__(self, deployment):
        template = deployment["spec"]["template"]
        spec = template["spec"]
        container, = spec["containers"]
        security = {**spec["securityContext"], **container["securityContext"]}
        # What "restricted" asks for; the processes get no less.
        assert security["runAsNonRoot"] and security["readOnlyRootFilesystem"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["allowPrivilegeEscalation"] is False and security["fsGroup"] == GROUP
        assert security["seccompProfile"]["type"] == "RuntimeDefault"
        self.name = container["name"]
        self.user, self.group = security["runAsUser"], security["runAsGroup"]
        self.program = os.path.basename(container["command"][0])
        self.arguments = container["args"]
        self.mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
        self.environment = {
            v["name"]: v["value"] if "value" in v
            else template["metadata"]["labels"][v["valueFrom"]["fieldRef"]["fieldPath"].split("'")[1]]
            for v in container["env"]}


class Node:
    """The machine of the pods: directory.yaml, a secret, and name service."""

    def __init__(self, work, programs, hosts):
        self.work, self.programs, self.processes = work, programs, []
        os.chmod(work, 0o755)
        self.volumes = {"grpc-cxl": self.folder("directory", 0o3770)}
        for name in ("secret", "other"):
            folder = self.folder(name, 0o750)
            with open(folder + "/secret", "w", encoding="ascii") as file:
                file.write(f"the {name} of the pods")
            os.chown(file.name, 0, GROUP)
            os.chmod(file.name, 0o440)
            self.volumes[name] = folder
        self.hosts = work + "/hosts"
        with open(self.hosts, "w", encoding="ascii") as file:
            file.writelines(f"127.0.0.1 {host}\n" for host in ("localhost", *hosts))

    def folder(self, name, mode, owner=0):
        path = f"{self.work}/{name}"
        os.mkdir(path)
        os.chown(path, owner, GROUP)
        os.chmod(path, mode)
        return path

    def start(self, pod, volumes=None):
        """The pod's process, with other `volumes` in the place of its own."""
        number = len(self.processes)
        program, = (os.path.realpath(f"{folder}/{pod.program}") for folder in self.programs
                    if os.path.exists(f"{folder}/{pod.program}"))
        root = self.folder(f"root-{number}", 0o755)
        sources = {**self.volumes, "tmp": self.folder(f"tmp-{number}", 0o770, pod.user)}
        sources.update(volumes or {})
        lines = ["set -e", "ip link set lo up", f"mount -t tmpfs -o mode=755 tmpfs {root}",
                 f"cd {root}", "mkdir -p proc dev etc tmp", "mount -t proc proc proc",
                 "mount --rbind /dev dev", f"cp {self.hosts} etc/hosts",
                 "echo 'hosts: files' > etc/nsswitch.conf"]
        binds = [(folder, folder) for folder in folders_to_bind(program)]
        binds += [(sources[volume], path) for volume, path in pod.mounts.items()]
        for source, target in binds:
            lines += [f"mkdir -p .{target}", f"mount --rbind {shlex.quote(source)} .{target}"]
        lines += ["mount -o remount,ro,bind .", "exec chroot . " + shlex.join(
            ["setpriv", f"--reuid={pod.user}", f"--regid={pod.group}", f"--groups={GROUP}",
             "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--pdeathsig=KILL", program,
             *pod.arguments])]
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--ipc", "--net", "--fork", "--kill-child", "sh", "-c",
             "\n".join(lines)], env={"PATH": os.environ["PATH"], **pod.environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.processes.append(process)
        return process

    def end(self):
        for process in self.processes:
            process.kill()
            process.communicate()


class Load:
    """One more pod, which sends a hundred requests."""

    def __init__(self, node, deployment, change=lambda pod: None, volumes=None):
        pod = Pod(deployment)
        pod.program, pod.user, pod.group = "load", 10100, 10100
        pod.arguments = [a for a in pod.arguments if a.startswith(("--transport", "--base"))]
        pod.arguments += ["--rate=100", "--seconds=1", "--warmup=0.2", "--deadline=20s",
                          "--json=/tmp/result"]
        change(pod)
        self._result = f"{node.work}/tmp-{len(node.processes)}/result"
        self._process = node.start(pod, volumes)

    def outcome(self):
        """How many requests were served, and how many not."""
        text, _ = self._process.communicate(timeout=60)
        assert os.path.exists(self._result), text
        with open(self._result, encoding="utf-8") as file:
            numbers = json.load(file)
        print(numbers["served"], "served,", numbers["errors"], "errors", numbers["errors_by_text"])
        return int(numbers["served"]), int(numbers["errors"])


def await_line(process, text):
    """Until the process prints a line with `text`."""
    line = process.stdout.readline()
    while line and text not in line:
        line = process.stdout.readline()
    assert line, f"{process.args[-1]} does not run"


def check_exporter(node, deployment, names):
    """That its pod tells Prometheus of the processes called `names`, and of nothing unreadable."""
    pod = Pod(deployment)
    process = node.start(pod)
    await_line(process, "Listening on ")
    port = pod.arguments[0].rsplit(":", 1)[1]
    get = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/metrics').read().decode())"
    metrics = subprocess.run(["nsenter", f"--target={process.pid}", "--net", sys.executable, "-c", get],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in names:
        assert f'grpc_cxl_process_info{{command="{name}"' in metrics, metrics
    assert "grpc_cxl_status_pages_unreadable 0\n" in metrics, metrics
    print("the exporter knows", *names)


def check_manifest(items):
    """That deployments and services fit together. Returns the deployments."""
    deployments = [item for item in items if item["kind"] == "Deployment"]
    services = {item["metadata"]["name"]: item["spec"] for item in items if item["kind"] == "Service"}
    for deployment in deployments:
        name, spec = deployment["metadata"]["name"], deployment["spec"]
        labels = spec["template"]["metadata"]["labels"]
        container, = spec["template"]["spec"]["containers"]
        port = services[name]["ports"][0]["port"]
        assert spec["selector"]["matchLabels"].items() <= labels.items(), name
        assert services[name]["selector"].items() <= labels.items(), name
        assert port == container["ports"][0]["containerPort"], name
        assert Pod(deployment).environment["GRPC_CXL_ALSO_KNOWN_AS"] == f"{name}:{port}", name
    assert len({Pod(deployment).user for deployment in deployments}) == len(deployments) == 8
    return deployments


def run(node, deployments, exporter):
    """The pods, and the load of pods that may and that may not meet them."""
    for deployment in deployments:
        await_line(node.start(Pod(deployment)), " listens on ")
    assert Load(node, deployments[0]).outcome() == (100, 0)
    check_exporter(node, exporter, [Pod(deployment).program for deployment in deployments])
    strangers = {
        "another secret": {"volumes": {"secret": node.volumes["other"]}},
        "another version": {"change": lambda pod: pod.environment.update(GRPC_CXL_ROLLOUT="v2")},
        "another directory": {"volumes": {"grpc-cxl": node.folder("elsewhere", 0o3770)}},
    }
    # All at once: each waits for seconds for services that it does not meet.
    loads = {who: Load(node, deployments[0], **how) for who, how in strangers.items()}
    for who, load in loads.items():
        print(who, end=": ", flush=True)
        assert load.outcome() == (0, 100), who
    assert Load(node, deployments[0]).outcome() == (100, 0)


def reason_to_skip():
    """Why this machine cannot make pods; empty if it can."""
    if yaml is None:
        return "python3 has no PyYAML (Debian: python3-yaml)"
    if os.getuid() != 0:
        return "only root can make pods"
    probe = run_as_root("true")
    return probe.stdout.strip() or "unshare fails" if probe.returncode != 0 else ""


def main():
    why = reason_to_skip()
    if why:
        record_skip("pods", why)
        return
    manifests, *programs = sys.argv[1:]
    with open(f"{manifests}/hotel.yaml", encoding="utf-8") as file:
        items = yaml.safe_load(file)["items"]
    with open(f"{manifests}/exporter.yaml", encoding="utf-8") as file:
        exporter = yaml.safe_load(file)
    deployments = check_manifest(items)
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        node = Node(work, programs, [deployment["metadata"]["name"] for deployment in deployments])
        try:
            run(node, deployments, exporter)
        finally:
            node.end()
    print("passed")


if __name__ == "__main__":
    main()

